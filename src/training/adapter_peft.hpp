#pragma once
// Adapters as Hugging Face's PEFT keeps them: a folder with adapter_config.json and
// adapter_model.safetensors. Threads: any.
//
// Rows     A GGUF of the llama family turns adjacent pairs of a head's values by their position, a
//          Hugging Face model the two halves, so the rows of q_proj and k_proj lie in another
//          order: in each head of D rows, GGUF row 2i+h is Hugging Face's row h·(D/2)+i. A sees
//          the layer's input, which is the same; only the rows of q's and k's B move.
#include <filesystem>
#include <string>

#include "training/adapter_file.hpp"

namespace jikji::training {

/// float32, with PEFT's names (base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight).
/// The folder is made. Throws Error(kConflict, "to") if it is there and not empty, and as
/// PendingFile.
void export_peft(const std::filesystem::path& folder, const AdapterFacts& facts, const Lora& lora,
                 const Shape& shape);

/// Throws as models::read_peft_config() and models::Safetensors, and Error(kRejected, "adapter")
/// for a weight that is missing, unknown, of another shape than the base's, or not finite.
/// F32, F16 and BF16. A layer that the folder leaves out has zeros.
Lora import_peft(const std::filesystem::path& folder, const Shape& shape);

}  // namespace jikji::training
