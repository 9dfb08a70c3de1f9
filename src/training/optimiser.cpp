#include "training/optimiser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace jikji::training {
namespace {

constexpr double kClipSlack = 1e-6;  // torch.nn.utils.clip_grad_norm_ divides by norm + this

/// In double and in one order, so that it is the same on every run; four sums hide the latency.
double norm_of(std::span<const float> values) {
    double sums[4] = {};
    const std::size_t whole = values.size() / 4 * 4;
    for (std::size_t i = 0; i < whole; i += 4) {
        for (std::size_t lane = 0; lane < 4; ++lane) {
            const double value = values[i + lane];
            sums[lane] += value * value;
        }
    }
    for (std::size_t i = whole; i < values.size(); ++i) {
        sums[0] += static_cast<double>(values[i]) * values[i];
    }
    return std::sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace

double learning_rate_at(const OptimiserOptions& options, std::int64_t step, std::int64_t total) {
    const std::int64_t warmup = options.warmup_steps;
    if (step < warmup) {
        return options.learning_rate * static_cast<double>(step) / static_cast<double>(warmup);
    }
    const auto left = static_cast<double>(std::max<std::int64_t>(0, total - step));
    return options.learning_rate * left /
           static_cast<double>(std::max<std::int64_t>(1, total - warmup));
}

AdamW::AdamW(OptimiserOptions options, std::size_t parameters)
    : options_(options), first_(parameters), second_(parameters) {}

double AdamW::step(std::span<float> values, std::span<float> gradients, double rate) {
    JIKJI_CHECK(values.size() == first_.size() && gradients.size() == first_.size());
    const double norm = norm_of(gradients);
    if (!std::isfinite(norm)) {
        throw Error(ErrorCode::kInternal, fmt::format("the gradient is not finite ({})", norm),
                    "gradient_norm");
    }
    const double clip =
        options_.clip_norm > 0 ? std::min(1.0, options_.clip_norm / (norm + kClipSlack)) : 1.0;
    const auto steps = static_cast<double>(++steps_);
    // As torch has it: scalars in double, then rounded to the tensors' float32.
    const auto shrink = static_cast<float>(1 - rate * options_.weight_decay);
    const auto take1 = static_cast<float>(1 - options_.beta1);
    const auto keep2 = static_cast<float>(options_.beta2);
    const auto take2 = static_cast<float>(1 - options_.beta2);
    const auto size = static_cast<float>(rate / (1 - std::pow(options_.beta1, steps)));
    const auto root = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, steps)));
    const auto epsilon = static_cast<float>(options_.epsilon);
    const auto scale = static_cast<float>(clip);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float g = gradients[i] *= scale;
        const float m = first_[i] += take1 * (g - first_[i]);
        const float v = second_[i] = second_[i] * keep2 + take2 * g * g;
        values[i] = values[i] * shrink - size * (m / (std::sqrt(v) / root + epsilon));
    }
    return norm;
}

}  // namespace jikji::training
