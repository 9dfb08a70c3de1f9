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

std::unique_ptr<llama::Guard> guard_of(const Constraint& c, const llama::Model& model) {
    if (c.grammar.empty()) return nullptr;
    llama::GuardOptions out;
    out.grammar = c.grammar;
    out.lazy = c.lazy;
    out.trigger_words = c.trigger_words;
    out.trigger_patterns = c.trigger_patterns;
    out.trigger_tokens = c.trigger_tokens;
    out.kept_tokens = c.kept_tokens;
    out.wake_after = c.wake_after;
    out.written = c.written;
    return std::make_unique<llama::Guard>(model, std::move(out));
}

}  // namespace jikji::engine
