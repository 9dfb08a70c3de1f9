#pragma once
// Adapters as files: a GGUF that stock llama.cpp loads (`--lora`), read and written with every
// shape and the base's hash checked. Threads: any.
//
// Keys       general.type "adapter", general.architecture, general.name, adapter.type "lora",
//            adapter.lora.alpha (float32); of our own: jikji.base.sha256, jikji.base.name,
//            jikji.target (texts), jikji.rank, jikji.dropout, jikji.held_out_loss,
//            jikji.base_loss.
// Tensors    blk.N.attn_q.weight.lora_a (n_in x rank, fastest first) and .lora_b, float32.
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "training/base_model.hpp"
#include "training/lora.hpp"

namespace jikji::training {

struct AdapterFacts {
    std::string name;  // ft:smollm2-135m-instruct:local:mine:ab12
    std::string base_name;
    std::string base_sha256;  // of the base's file; empty in an adapter of others
    std::string architecture;
    LoraOptions lora;  // dropout 0 if not known
    std::optional<double> held_out_loss;
    std::optional<double> base_loss;
};

/// Durable and all or nothing. Throws as PendingFile.
void write_adapter(const std::filesystem::path& file, const AdapterFacts& facts, const Lora& lora);

/// Without its values: what the head of the file says. Throws Error(kRejected, "adapter") that says
/// what is wrong (as read_adapter() does, but for the base's shapes and the values).
AdapterFacts read_adapter_facts(const std::filesystem::path& file);

/// F32, F16, BF16 and Q8_0. Throws Error(kRejected, "adapter") if it is no LoRA adapter, ranks
/// differ, a tensor lacks its partner or is not one of Module's, a layer or shape does not fit the
/// base, or a value is not finite. A layer that the file leaves out has zeros.
Lora read_adapter(const std::filesystem::path& file, const Shape& shape);

/// Throws Error(kConflict, "base") if the adapter was trained on another file than the one with
/// that sha256 (an adapter of others does not say on which), or for another architecture than
/// `base_architecture`, if that is given.
void check_base(const AdapterFacts& facts, const std::string& base_sha256,
                std::string_view base_architecture = {});

}  // namespace jikji::training
