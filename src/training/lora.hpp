#pragma once
// The trained part of a model: low-rank pairs beside frozen weights (Hu 2021, arXiv:2106.09685).
// A weight W of n_out x n_in is used as W + scale · B · A, scale = alpha / rank.
//
// Memory   all pairs lie in one array of float32, so that optimiser, clipping, checkpoints and
//          determinism have one loop each. A is rank x n_in, B is n_out x rank, row-major: byte for
//          byte what a GGUF adapter and PEFT's lora_A.weight and lora_B.weight hold (q and k of
//          PEFT have other rows: adapter_peft.hpp).
// Threads  any for reading; one writer.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::training {

struct Shape;

/// The linear weights of a layer, in the order in which a layer uses them.
enum class Module { kQ, kK, kV, kO, kGate, kUp, kDown };
inline constexpr int kModules = 7;

/// "q_proj", "gate_proj": as PEFT and our options call them.
std::string_view name_of(Module module);
/// "attn_q", "ffn_gate": what a GGUF calls them.
std::string_view gguf_name_of(Module module);
/// Throws Error(kInvalidArgument, "target") that names the nearest one and all of them. lm_head and
/// embed_tokens are refused with the reason.
Module module_named(std::string_view name);

struct LoraOptions {
    int rank = 8;           // 1 to 256
    float alpha = 16;       // above 0
    float dropout = 0.05F;  // 0 to below 1; of the input of A, while training only
    std::vector<Module> targets{Module::kQ, Module::kV};  // in the order of Module, each once
};

/// Throws Error(kInvalidArgument) that names field, value and limit.
void check(const LoraOptions& options);

/// Where one pair lies in the array.
struct LoraPair {
    int layer = 0;
    Module module = Module::kQ;
    int n_in = 0;
    int n_out = 0;
    std::size_t a = 0;  // offset of A: rank · n_in floats
    std::size_t b = 0;  // offset of B: n_out · rank floats
};

class Lora {
public:
    /// All zeros. Layers first, then modules in their order; A before B.
    Lora(const Shape& shape, LoraOptions options);

    const LoraOptions& options() const { return options_; }
    float scale() const { return options_.alpha / static_cast<float>(options_.rank); }
    std::span<const LoraPair> pairs() const { return pairs_; }
    /// Null if that weight is not adapted.
    const LoraPair* find(int layer, Module module) const;

    std::span<float> values() { return values_; }
    std::span<const float> values() const { return values_; }
    std::span<const float> a(const LoraPair& pair) const;
    std::span<const float> b(const LoraPair& pair) const;

    /// As PEFT does: A uniform in ±sqrt(1 / n_in) (Kaiming, a = sqrt 5), B zero. The same seed
    /// gives the same values on every machine.
    void initialise(std::uint64_t seed);

private:
    LoraOptions options_;
    std::vector<LoraPair> pairs_;
    std::vector<int> index_;  // layer x module -> pair, or -1
    std::vector<float> values_;
};

}  // namespace jikji::training
