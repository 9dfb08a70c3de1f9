#include "llama/sampler.hpp"

#include <llama.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace jikji::llama {

void Sampler::Free::operator()(llama_sampler* sampler) const noexcept {
    llama_sampler_free(sampler);
}

struct Sampler::Candidates {
    std::vector<llama_token_data> data;
};

namespace {

bool penalises(const SamplerOptions& o) {
    return o.repeat_penalty != 1.0F || o.presence_penalty != 0.0F || o.frequency_penalty != 0.0F;
}

/// The first of the largest. Lanes that do not depend on each other become vector instructions,
/// which std::max_element does not.
Token likeliest(std::span<const float> logits) {
    constexpr std::size_t kLanes = 32;
    std::array<float, kLanes> top;
    top.fill(-INFINITY);
    std::size_t i = 0;
    for (; i + kLanes <= logits.size(); i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            top[lane] = logits[i + lane] > top[lane] ? logits[i + lane] : top[lane];
        }
    }
    float best = *std::max_element(top.begin(), top.end());
    for (; i < logits.size(); ++i) best = std::max(best, logits[i]);
    return static_cast<Token>(std::find(logits.begin(), logits.end(), best) - logits.begin());
}

void add(llama_sampler* chain, llama_sampler* link) { llama_sampler_chain_add(chain, link); }

void add_bias_and_penalties(llama_sampler* chain, const Model& model, const SamplerOptions& o) {
    if (!o.logit_bias.empty()) {
        std::vector<llama_logit_bias> bias;
        for (const auto& [token, value] : o.logit_bias) {
            // OpenAI: -100 bans a token, whatever its logit.
            bias.push_back({token, value <= -100.0F ? -INFINITY : value});
        }
        add(chain, llama_sampler_init_logit_bias(
                       model.vocabulary(), static_cast<std::int32_t>(bias.size()), bias.data()));
    }
    if (penalises(o)) {
        add(chain,
            llama_sampler_init_penalties(model.vocabulary(), o.penalty_window, o.repeat_penalty,
                                         o.frequency_penalty, o.presence_penalty));
    }
}

}  // namespace

Sampler::Sampler(const Model& model, const SamplerOptions& o, std::unique_ptr<Guard> guard)
    : guard_(std::move(guard)), candidates_(std::make_unique<Candidates>()) {
    const bool greedy = o.temperature <= 0.0F;
    if (greedy && o.logit_bias.empty() && !penalises(o)) return;
    chain_.reset(llama_sampler_chain_init(llama_sampler_chain_default_params()));
    add_bias_and_penalties(chain_.get(), model, o);
    if (greedy) {
        add(chain_.get(), llama_sampler_init_greedy());
        return;
    }
    if (o.top_k > 0) add(chain_.get(), llama_sampler_init_top_k(o.top_k));
    if (o.top_p < 1.0F) add(chain_.get(), llama_sampler_init_top_p(o.top_p, 1));
    if (o.min_p > 0.0F) add(chain_.get(), llama_sampler_init_min_p(o.min_p, 1));
    add(chain_.get(), llama_sampler_init_temp(o.temperature));
    add(chain_.get(), llama_sampler_init_dist(o.seed));
}

Sampler::~Sampler() = default;

Token Sampler::run_chain() {
    auto& data = candidates_->data;
    llama_token_data_array array{data.data(), data.size(), -1, false};
    llama_sampler_apply(chain_.get(), &array);
    JIKJI_CHECK(array.selected >= 0 && array.selected < static_cast<std::int64_t>(array.size));
    return array.data[array.selected].id;
}

Token Sampler::choose(std::span<const float> logits) {
    if (!chain_) return likeliest(logits);
    auto& data = candidates_->data;
    data.resize(logits.size());
    for (std::size_t i = 0; i < logits.size(); ++i) {
        data[i] = {static_cast<Token>(i), logits[i], 0.0F};
    }
    return run_chain();
}

std::optional<Token> Sampler::choose_allowed(std::span<const float> logits) {
    auto& data = candidates_->data;
    data.clear();
    const TokenMask mask = guard_->allowed();
    for (std::size_t word = 0; word < mask.size(); ++word) {
        for (std::uint64_t bits = mask[word]; bits != 0; bits &= bits - 1) {
            const std::size_t i = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
            data.push_back({static_cast<Token>(i), logits[i], 0.0F});
        }
    }
    if (data.empty()) return std::nullopt;
    if (chain_) return run_chain();
    return std::max_element(data.begin(), data.end(),
                            [](const auto& a, const auto& b) { return a.logit < b.logit; })
        ->id;
}

std::optional<Token> Sampler::sample(std::span<const float> logits) {
    const Token token = choose(logits);
    if (!guard_ || guard_->asleep() || guard_->allows(token)) return token;
    return choose_allowed(logits);
}

void Sampler::accept_prompt(Token token) {
    if (chain_) llama_sampler_accept(chain_.get(), token);
}

void Sampler::accept(Token token) {
    if (chain_) llama_sampler_accept(chain_.get(), token);
    if (guard_) guard_->accept(token);
}

bool Sampler::finished() const { return guard_ && guard_->finished(); }

std::vector<Token> Sampler::forced_tokens(std::size_t most) const {
    return guard_ ? guard_->forced_tokens(most) : std::vector<Token>();
}

std::vector<Alternative> logprobs(std::span<const float> logits, Token chosen, int count) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float value : logits) sum += std::exp(static_cast<double>(value - top));
    const auto log_sum = static_cast<float>(std::log(sum)) + top;
    std::vector<Token> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    const auto wanted = std::min(order.size(), static_cast<std::size_t>(std::max(count, 0)));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted),
                      order.end(), [&](Token a, Token b) {
                          const float left = logits[static_cast<std::size_t>(a)];
                          const float right = logits[static_cast<std::size_t>(b)];
                          return left != right ? left > right : a < b;
                      });
    const auto entry = [&](Token token) {
        return Alternative{token, logits[static_cast<std::size_t>(token)] - log_sum};
    };
    std::vector<Alternative> out = {entry(chosen)};
    for (std::size_t i = 0; i < wanted; ++i) out.push_back(entry(order[i]));
    return out;
}

}  // namespace jikji::llama
