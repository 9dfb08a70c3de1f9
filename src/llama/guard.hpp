#pragma once
// Holds one answer to its grammar, token by token.
// Threads: one at a time; the grammar may be shared.
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "llama/grammar.hpp"
#include "llama/model.hpp"

namespace jikji::llama {

/// As engine::Constraint.
struct GuardOptions {
    std::string grammar;  // GBNF
    /// Sleeps until the text holds one of the words, matches a pattern, or a token of these comes;
    /// what follows obeys the grammar, from the trigger's own first byte on (of a pattern: from its
    /// first group).
    bool lazy = false;
    std::vector<std::string> trigger_words;
    std::vector<std::string> trigger_patterns;  // ECMAScript; ^…$ means the whole text so far
    std::vector<Token> trigger_tokens;
    std::string wake_after;          // the grammar is for what comes behind this text and blanks
    std::vector<Token> kept_tokens;  // control tokens whose text counts
    std::string written;             // what the grammar has seen already
};

class Guard {
public:
    /// Throws as llama::Grammar, and Error(kInvalidArgument) if the grammar refuses `written` or
    /// a pattern cannot be read.
    Guard(const Model& model, GuardOptions options);

    bool asleep() const { return asleep_; }
    /// Requires: not asleep, as the next three. These three and accept() throw
    /// Error(kInvalidArgument), field "grammar", if this answer takes too much work.
    bool allows(Token token);
    /// The tokens that may come, those that end the text included.
    TokenMask allowed();
    /// Nothing may follow but the end.
    bool finished() const { return !asleep_ && !off_ && grammar_->finished(state_); }
    /// What must follow, in the tokens that the model's own tokenizer makes of it: a guess, for the
    /// model may prefer others that spell the same. Empty where there is a choice.
    std::vector<Token> forced_tokens(std::size_t most);

    void accept(Token token);

private:
    const Grammar& grammar();
    Grammar::State walk(Token token, std::string_view text);
    std::string text_of(Token token) const;
    std::size_t trigger_in(std::string_view text) const;
    void wake(std::size_t from);

    const Model& model_;
    std::shared_ptr<const Grammar> grammar_;
    GuardOptions options_;
    std::vector<std::regex> patterns_;
    Grammar::State state_;
    std::size_t work_ = 0;  // that this answer took, in steps of its grammar
    std::size_t work_most_;
    bool asleep_;
    bool off_ = false;   // woken by a text that the grammar does not know: free from then on
    std::string heard_;  // while asleep: the latest text
};

}  // namespace jikji::llama
