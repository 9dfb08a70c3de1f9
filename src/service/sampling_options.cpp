#include "service/sampling_options.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/error.hpp"
#include "service/ranges.hpp"

namespace jikji::service {
namespace {

constexpr std::size_t kLogitBiasMax = 1024;  // tokens that one request may bias

// The sum of the halves, in 0..2^32-2: a seed below that stays itself. 2^32-1 is not given out,
// because libllama takes it for "choose one yourself".
std::uint32_t folded(std::int64_t seed) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(seed) %
                                      std::numeric_limits<std::uint32_t>::max());
}

void set(std::string_view field, const std::optional<double>& given, float& target) {
    if (!given) return;
    target = static_cast<float>(check_range(field, *given));
    check_range(field, double{target});  // 1e-60 is above 0 until it is a float
}

void set(std::string_view field, const std::optional<std::int64_t>& given, int& target) {
    if (given) target = static_cast<int>(check_range(field, *given));
}

void set_defaults(const GenerationSettings& settings, engine::GenerationRequest& request) {
    request.sampling.temperature = settings.temperature;
    request.sampling.top_p = settings.top_p;
    request.sampling.top_k = settings.top_k;
    request.sampling.repeat_penalty = settings.repeat_penalty;
    request.max_tokens = settings.max_tokens;
    request.stop = settings.stop;
}

void set_bias(const SamplingOptions& options, engine::Sampling& sampling) {
    if (options.logit_bias.size() > kLogitBiasMax) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("logit_bias has {} tokens; give at most {}",
                                options.logit_bias.size(), kLogitBiasMax),
                    "logit_bias",
                    fmt::format("logit_bias에 토큰이 {}개 있습니다. {}개까지 줄 수 있습니다.",
                                options.logit_bias.size(), kLogitBiasMax));
    }
    for (const auto& [token, bias] : options.logit_bias) {
        sampling.logit_bias.emplace_back(token,
                                         static_cast<float>(check_range("logit_bias", bias)));
    }
}

}  // namespace

void apply_options(const SamplingOptions& options, Defaults defaults,
                   const GenerationSettings& settings, engine::GenerationRequest& request) {
    if (defaults == Defaults::kJikji || settings.openai_routes) set_defaults(settings, request);
    engine::Sampling& sampling = request.sampling;
    set("temperature", options.temperature, sampling.temperature);
    set("top_p", options.top_p, sampling.top_p);
    set("top_k", options.top_k, sampling.top_k);
    set("min_p", options.min_p, sampling.min_p);
    set("repeat_penalty", options.repeat_penalty, sampling.repeat_penalty);
    set("presence_penalty", options.presence_penalty, sampling.presence_penalty);
    set("frequency_penalty", options.frequency_penalty, sampling.frequency_penalty);
    set("max_tokens", options.max_tokens, request.max_tokens);
    if (options.seed) sampling.seed = folded(*options.seed);
    if (options.stop) {
        check_stop(*options.stop);
        request.stop = *options.stop;
    }
    set_bias(options, sampling);
    request.ignore_eos = options.ignore_eos;
}

}  // namespace jikji::service
