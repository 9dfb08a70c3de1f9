#pragma once
// Forward and backward through a frozen base with LoRA beside it: the loss of packed samples, and
// its gradient by the adapter's values.
//
// Loss       cross entropy in nats of the tokens that are learnt, summed (not averaged: the mean is
//            over a whole optimiser batch, which may be several packs).
// Precision  kF32, or kBf16: factors of products are rounded to bfloat16; the residual stream,
// norms,
//            softmax, loss, adapter and all sums stay float32.
// Memory     weights are kept in the form that products want if they fit into `weight_bytes_most`,
//            else they are made anew, one matrix at a time, in each pass. Activations are kept, or
//            computed again from each layer's input (Chen 2016, arXiv:1604.06174), by
//            `activation_bytes_most`. Logits exist for 256 tokens at a time.
// Threads    one caller at a time. The result is bit-equal for the same input, at any number of
//            threads; at the same number where oneDNN computes products (gemm/products.hpp).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "gemm/gemm.hpp"
#include "training/base_model.hpp"
#include "training/lora.hpp"
#include "training/samples.hpp"

namespace jikji::training {

struct PassOptions {
    gemm::Precision precision = gemm::best_precision();  // kF32 or kBf16
    int threads = 1;
    std::uint64_t weight_bytes_most = ~std::uint64_t{0};
    std::uint64_t activation_bytes_most = ~std::uint64_t{0};
};

/// What a pass takes of `bytes` of memory: most of them for weights, which cost more to make anew
/// than activations do.
PassOptions within(PassOptions options, std::uint64_t bytes);

/// Where nobody says how much: half of what is `free`, and no more than pays. A base that fits is
/// kept whole; of one that does not, 2 GiB, as a part saves only its part of the work. Activations
/// take 640 MiB, or as much as the base's file: to compute some layers again costs less than the
/// memory that keeping them takes from other programs.
PassOptions within_free(PassOptions options, const BaseModel& base, std::uint64_t free);

/// Dropout is a function of (seed, step, sample, layer, module, position, column): nothing is
/// stored, and a resumed run drops what the first one did.
struct DropoutKey {
    std::uint64_t seed = 0;
    std::uint64_t step = 0;
};

struct Loss {
    double sum = 0;  // nats
    int tokens = 0;  // that were learnt
    int right = 0;   // whose likeliest guess was right
};

class Pass {
public:
    /// `base` must outlive it. Reads what is kept of the weights: seconds for a large model.
    Pass(const BaseModel& base, const PassOptions& options);
    ~Pass();

    /// No gradient, no dropout. Requires: tokens, all of the base's vocabulary.
    Loss evaluate(const Pack& pack, const Lora& lora);

    /// Adds weight · d(sum of losses) / d(values) to `gradients` (as long as lora.values()).
    Loss train(const Pack& pack, const Lora& lora, DropoutKey key, float weight,
               std::span<float> gradients);

    /// Bytes that a pack of so many tokens needs beside the weights.
    static std::uint64_t activation_bytes(const Shape& shape, int tokens, bool again);
    std::uint64_t weight_bytes() const;
    /// Floating point operations of one token, forward and backward, for shares of the peak.
    static double forward_flops(const Shape& shape, const LoraOptions& lora, int length);
    static double backward_flops(const Shape& shape, const LoraOptions& lora, int length);

private:
    struct Space;
    std::unique_ptr<Space> space_;
};

}  // namespace jikji::training
