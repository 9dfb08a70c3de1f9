#include "engine/sequence.hpp"

#include <random>

namespace jikji::engine {

llama::SamplerOptions sampler_options(const Sampling& s) {
    llama::SamplerOptions out;
    out.temperature = s.temperature;
    out.top_p = s.top_p;
    out.top_k = s.top_k;
    out.min_p = s.min_p;
    out.repeat_penalty = s.repeat_penalty;
    out.presence_penalty = s.presence_penalty;
    out.frequency_penalty = s.frequency_penalty;
    out.penalty_window = s.penalty_window;
    out.seed = s.seed ? *s.seed : std::random_device{}();
    out.logit_bias = s.logit_bias;
    return out;
}

}  // namespace jikji::engine
