#include "llama/guard.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"

namespace jikji::llama {
namespace {

// std::regex recurses for each character: what a pattern may look back on is bounded.
constexpr std::size_t kHeard = 8u << 10;

// What one answer may cost, in steps (kWalkWork): about 50 ms at once, and 1 ms for each of its
// tokens. Others wait for that meanwhile. The dearest of those schemas takes 12,000 a token.
constexpr std::size_t kWorkAtOnce = 1'000'000;
constexpr std::size_t kWorkPerToken = 20'000;

constexpr std::size_t kForced = 128;  // bytes that are looked ahead

std::regex compiled(const std::string& pattern) {
    try {
        return std::regex(pattern);
    } catch (const std::regex_error& cause) {
        throw Error(ErrorCode::kInvalidArgument,
                    "the trigger pattern " + pattern + " cannot be read: " + cause.what(),
                    "grammar");
    }
}

std::size_t start_of(const std::smatch& match) {
    for (std::size_t i = 1; i < match.size(); ++i) {
        if (match.length(i) > 0) return static_cast<std::size_t>(match.position(i));
    }
    return static_cast<std::size_t>(match.position(0));
}

}  // namespace

Guard::Guard(const Model& model, GuardOptions options)
    : model_(model),
      grammar_(model.grammar(options.grammar)),
      options_(std::move(options)),
      state_(grammar_->start()),
      work_most_(kWorkAtOnce),
      asleep_(options_.lazy) {
    for (const std::string& pattern : options_.trigger_patterns) {
        patterns_.push_back(compiled(pattern));
    }
    if (options_.written.empty() || asleep_) return;
    const auto tokens = model.tokenize(options_.written, /*whole=*/false, /*special=*/true);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const std::string text = model.piece(tokens[i], true);
        // Some tokenizers put a space before the first token.
        const bool added = i == 0 && text == " " && options_.written[0] != ' ';
        if (!added) state_ = walk(tokens[i], text);
    }
    if (state_ == Grammar::kDead) {
        throw Error(ErrorCode::kInternal,
                    "the grammar does not begin as the prompt ends: " + options_.written);
    }
}

/// To walk on in. A text of another answer that made it large must not be in the way of this one.
const Grammar& Guard::grammar() {
    if (work_ > work_most_) throw_too_ambiguous("an answer in it takes too long");
    if (grammar_->large()) {
        auto fresh = model_.renewed(*grammar_);
        state_ = fresh->adopt(*grammar_, state_, &work_);
        grammar_ = std::move(fresh);
    }
    return *grammar_;
}

Grammar::State Guard::walk(Token token, std::string_view text) {
    const Grammar& in = grammar();  // before its state is read
    return in.next(state_, token, text, &work_);
}

std::string Guard::text_of(Token token) const {
    const auto& kept = options_.kept_tokens;
    return model_.piece(token, std::find(kept.begin(), kept.end(), token) != kept.end());
}

bool Guard::allows(Token token) {
    if (off_) return true;
    if (model_.ends_generation(token)) return grammar_->complete(state_);
    return walk(token, text_of(token)) != Grammar::kDead;
}

TokenMask Guard::allowed() {
    if (state_ == Grammar::kDead) return {};
    const Grammar& in = grammar();  // before its state is read
    TokenMask mask = *in.allowed(state_, &work_);
    for (const Token token : options_.kept_tokens) {
        if (model_.ends_generation(token) || !allows(token)) continue;
        mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    }
    return mask;
}

std::vector<Token> Guard::forced_tokens(std::size_t most) {
    if (asleep_ || off_) return {};
    const Grammar& in = grammar();
    const std::string text = in.forced(state_, kForced, &work_);
    if (text.empty()) return {};
    std::vector<Token> tokens = model_.tokenize(text, /*whole=*/false, /*special=*/false);
    if (model_.detokenize(tokens) != text) return {};  // the tokenizer put a space before it
    if (tokens.size() > most) tokens.resize(most);
    return tokens;
}

void Guard::accept(Token token) {
    if (off_) return;
    work_most_ = std::min(work_most_ + kWorkPerToken, work_ + kWorkAtOnce);
    if (!asleep_) {
        if (!model_.ends_generation(token)) state_ = walk(token, text_of(token));
        return;
    }
    const auto& calls = options_.trigger_tokens;
    if (std::find(calls.begin(), calls.end(), token) != calls.end()) {
        asleep_ = false;
        state_ = walk(token, model_.piece(token, true));
        off_ = state_ == Grammar::kDead;
        return;
    }
    heard_ += text_of(token);
    if (heard_.size() > kHeard) heard_.erase(0, heard_.size() - kHeard / 2);
    const std::size_t from = trigger_in(heard_);
    if (from != std::string::npos) wake(from);
}

std::size_t Guard::trigger_in(std::string_view text) const {
    if (!options_.wake_after.empty()) {
        const std::size_t at = text.find(options_.wake_after);
        if (at == std::string::npos) return at;
        return std::min(text.find_first_not_of(" \n\t", at + options_.wake_after.size()),
                        text.size());
    }
    std::size_t first = std::string::npos;
    for (const std::string& word : options_.trigger_words) {
        first = std::min(first, text.find(word));
    }
    if (first != std::string::npos) return first;
    const std::string whole(text);
    std::smatch match;
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
        const std::string& pattern = options_.trigger_patterns[i];
        const bool anchored = pattern.starts_with('^') && pattern.ends_with('$');
        if (anchored ? std::regex_match(whole, match, patterns_[i])
                     : std::regex_search(whole, match, patterns_[i])) {
            return start_of(match);
        }
    }
    return std::string::npos;
}

void Guard::wake(std::size_t from) {
    asleep_ = false;
    const Grammar& in = grammar();
    state_ = in.next(state_, std::string_view(heard_).substr(from), &work_);
    off_ = state_ == Grammar::kDead;
    heard_.clear();
}

}  // namespace jikji::llama
