#pragma once
// What a client may say about generation, and what it becomes: ranges checked in one table,
// defaults filled in, nothing dropped in silence.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.hpp"
#include "service/settings.hpp"

namespace jikji::service {

/// The fields that the client gave; nothing where it was silent.
struct SamplingOptions {
    std::optional<double> temperature;
    std::optional<double> top_p;
    std::optional<std::int64_t> top_k;
    std::optional<double> min_p;
    std::optional<double> repeat_penalty;
    std::optional<double> presence_penalty;
    std::optional<double> frequency_penalty;
    std::optional<std::int64_t> max_tokens;
    std::optional<std::int64_t> seed;  // any; folded to 32 bits
    std::optional<std::vector<std::string>> stop;
    std::vector<std::pair<engine::Token, double>> logit_bias;
    bool ignore_eos = false;
};

enum class Defaults { kOpenAi, kJikji };

/// Fills request.sampling, .max_tokens, .stop, .ignore_eos. Throws Error(kInvalidArgument) with the
/// field's name, value and range.
void apply_options(const SamplingOptions& options, Defaults defaults,
                   const GenerationSettings& settings, engine::GenerationRequest& request);

}  // namespace jikji::service
