#pragma once
// The choice of the next token from logits. Threads: one at a time.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "llama/guard.hpp"
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
    /// `guard`: nothing = any text.
    Sampler(const Model& model, const SamplerOptions& options,
            std::unique_ptr<Guard> guard = nullptr);
    ~Sampler();

    /// Chooses from vocabulary() logits. With a guard: first as without, which is nearly always
    /// allowed; if it is not, once more from all that is. That is the distribution of the allowed
    /// ones: p + (1 - Z) p / Z = p / Z. Nothing if no token is allowed.
    std::optional<Token> sample(std::span<const float> logits);
    /// Tells the penalties of a token of the prompt.
    void accept_prompt(Token token);
    /// Tells penalties and guard of the token that was chosen.
    void accept(Token token);
    /// Nothing may follow: the text is whole.
    bool finished() const;
    /// A guess at the next tokens where the grammar leaves one text, for the caller to compute in
    /// one step; sample() then says how many of them hold. Usually empty.
    std::vector<Token> forced_tokens(std::size_t most) const;

private:
    Token choose(std::span<const float> logits);
    std::optional<Token> choose_allowed(std::span<const float> logits);
    Token run_chain();
    std::unique_ptr<Guard> guard_;
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
