#pragma once
// AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) as torch.optim.AdamW computes it, and the
// learning rate's schedule as Hugging Face's trainer has it. Threads: one at a time.
#include <cstdint>
#include <span>
#include <vector>

namespace jikji::training {

struct OptimiserOptions {
    double learning_rate = 3e-4;  // above 0
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
    double clip_norm = 1.0;  // of the whole gradient; 0 = none
    int warmup_steps = 100;  // from 0; the first step's rate is 0, as Hugging Face has it
};

/// Rate of step 0, 1, …, total-1: linear up over the warm-up, then linear down to 0.
double learning_rate_at(const OptimiserOptions& options, std::int64_t step, std::int64_t total);

class AdamW {
public:
    AdamW(OptimiserOptions options, std::size_t parameters);

    /// Clips `gradients` in place and changes `values`. Returns the norm before clipping. Throws
    /// Error(kInternal) that says so, and changes nothing, if it is not finite.
    double step(std::span<float> values, std::span<float> gradients, double rate);

    std::int64_t steps() const { return steps_; }
    std::span<float> first() { return first_; }    // m
    std::span<float> second() { return second_; }  // v
    std::span<const float> first() const { return first_; }
    std::span<const float> second() const { return second_; }
    void resume(std::int64_t steps) { steps_ = steps; }

private:
    OptimiserOptions options_;
    std::int64_t steps_ = 0;
    std::vector<float> first_;
    std::vector<float> second_;
};

}  // namespace jikji::training
