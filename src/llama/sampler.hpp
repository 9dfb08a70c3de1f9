#pragma once
// The choice of the next token from logits. Threads: one at a time.
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "llama/model.hpp"

struct llama_sampler;

namespace jikji::llama {

/// As engine::Sampling, with a seed that is always given.
struct SamplerOptions {
    float temperature = 1;
    float top_p = 1;
    int top_k = 0;
    float min_p = 0;
    float repeat_penalty = 1;
    float presence_penalty = 0;
    float frequency_penalty = 0;
    int penalty_window = 64;
    std::uint32_t seed = 0;
    std::vector<std::pair<Token, float>> logit_bias;
};

class Sampler {
public:
    Sampler(const Model& model, const SamplerOptions& options);
    ~Sampler();

    /// Chooses from vocabulary() logits.
    Token sample(std::span<const float> logits);
    /// Tells the penalties of a token: of the prompt, or the one that was chosen.
    void accept(Token token);

private:
    struct Free {
        void operator()(llama_sampler* sampler) const noexcept;
    };
    std::unique_ptr<llama_sampler, Free> chain_;  // none: the likeliest token, nothing else
    struct Candidates;
    std::unique_ptr<Candidates> candidates_;
};

struct Alternative {
    Token token;
    float logprob;  // natural logarithm
};

/// The `count` likeliest tokens of the softmax of `logits`, best first, and that of `chosen` put
/// in front: count + 1 entries.
std::vector<Alternative> logprobs(std::span<const float> logits, Token chosen, int count);

}  // namespace jikji::llama
