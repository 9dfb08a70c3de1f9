#include "engine/prompt_lookup.hpp"

#include <algorithm>

namespace jikji::engine {
namespace {

// Weight of one token in the hit rate: quotes come in runs of tens of tokens.
constexpr double kNewest = 0.1;

/// The kMatch tokens before `end` in one number. Different ones may share a number; a proposal that
/// comes of it is only wrong, which costs as much as any wrong proposal.
std::uint64_t key_before(std::span<const Token> tokens, std::size_t end) {
    std::uint64_t key = 0;
    for (std::size_t i = end - PromptLookup::kMatch; i < end; ++i) {
        key = key * 0x9e3779b97f4a7c15ULL + static_cast<std::uint32_t>(tokens[i]) + 1;
    }
    return key;
}

}  // namespace

int PromptLookup::foretold_at(std::span<const Token> tokens, std::size_t end) const {
    if (end < kMatch) return -1;
    const auto found = after_.find(key_before(tokens, end));
    return found == after_.end() ? -1 : found->second;
}

void PromptLookup::follow(std::span<const Token> tokens) {
    const bool prompt = followed_ == 0;  // nobody would have had to foretell it
    for (std::size_t end = followed_; end < tokens.size(); ++end) {
        const int place = foretold_at(tokens, end);
        if (place >= 0 && !prompt) {
            const bool hit = tokens[static_cast<std::size_t>(place)] == tokens[end];
            hit_rate_ += kNewest * ((hit ? 1.0 : 0.0) - hit_rate_);
        }
        if (end >= kMatch) after_[key_before(tokens, end)] = static_cast<std::int32_t>(end);
    }
    followed_ = std::max(followed_, tokens.size());
}

std::vector<Token> PromptLookup::propose(std::span<const Token> tokens, int most) const {
    const int place = foretold_at(tokens, tokens.size());
    if (place < 0 || most <= 0) return {};
    const auto from = static_cast<std::size_t>(place);
    const auto count = std::min(
        {static_cast<std::size_t>(most), static_cast<std::size_t>(kLongest), tokens.size() - from});
    return {tokens.begin() + place, tokens.begin() + place + static_cast<std::ptrdiff_t>(count)};
}

int PromptLookup::worth(int most, int tokens,
                        const std::function<double(int count)>& seconds) const {
    int best = 0;
    double best_rate = tokens / seconds(0);
    double expected = tokens;
    double chance = 1;  // that all proposed tokens so far come true
    for (int count = 1; count <= most; ++count) {
        chance *= hit_rate_;
        expected += chance;
        const double rate = expected / seconds(count);
        if (rate <= best_rate) continue;
        best = count;
        best_rate = rate;
    }
    return best;
}

}  // namespace jikji::engine
