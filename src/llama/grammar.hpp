#pragma once
// A compiled grammar: which bytes may follow, and so which tokens.
//
// Method   a pushdown automaton over bytes, made deterministic as it is walked: a state is the set
//          of all stacks that the text so far can have led to, states and what follows them are
//          kept, and so are the tokens that a state allows. A text costs one look-up a byte; only
//          what no text met before is worked out.
// Growth   what texts add stays within limits: a grammar that got large() is replaced by a fresh
//          one, which adopts the states of the texts that go on. None fails for what others did.
// Threads  any; those that share a grammar wait for each other for microseconds.
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llama/gbnf.hpp"
#include "llama/token_trie.hpp"

namespace jikji::llama {

/// A bit for each token of the vocabulary.
using TokenMask = std::vector<std::uint64_t>;

/// Steps of the automaton that one call may take, here about 50 ns each; what a text met before
/// takes none. The dearest schemas that we tried take 35,000 (a choice of 800 words) and 21,000 (a
/// string of at most 1,900 characters). Beyond: Error(kInvalidArgument), field "grammar".
inline constexpr std::size_t kWalkWork = 120'000;

/// Error(kInvalidArgument), field "grammar".
[[noreturn]] void throw_too_ambiguous(const char* what);

class Grammar {
public:
    using State = std::int32_t;
    static constexpr State kDead = -1;  // no text of the grammar begins like this

    /// Throws as parse_gbnf(), also if its beginning alone is beyond the limits.
    Grammar(std::string_view text, const TokenOfText& token_of_text,
            std::shared_ptr<const TokenTrie> trie);
    /// See renewed().
    Grammar(std::shared_ptr<const GbnfRules> rules, std::shared_ptr<const TokenTrie> trie);
    ~Grammar();

    State start() const { return start_; }
    /// These four add to `work` the steps that they took, also if they throw.
    State next(State state, std::string_view bytes, std::size_t* work = nullptr) const;
    /// The same for a token: what the grammar calls by number (<[7]>), or its bytes.
    State next(State state, std::int32_t token, std::string_view bytes,
               std::size_t* work = nullptr) const;
    /// The bytes that must follow, whatever the text becomes: empty where there is a choice, or
    /// where the text may end. At most `limit` bytes; may end inside a character.
    std::string forced(State state, std::size_t limit = 128, std::size_t* work = nullptr) const;
    /// The tokens that may come, those that end the text among them if it may end.
    std::shared_ptr<const TokenMask> allowed(State state, std::size_t* work = nullptr) const;

    /// The text may end here.
    bool complete(State state) const;
    /// Nothing may follow.
    bool finished(State state) const;

    /// So much was added by texts that it is time for a fresh one.
    bool large() const;
    std::size_t states() const;  // that were met
    /// The same grammar, and nothing that texts have added.
    std::shared_ptr<const Grammar> renewed() const;
    /// The state here for a state of `other`, which is an older Grammar of the same text.
    State adopt(const Grammar& other, State state, std::size_t* work = nullptr) const;
    bool same_text(const Grammar& other) const { return rules_ == other.rules_; }

private:
    class Automaton;
    class Walk;
    std::shared_ptr<const GbnfRules> rules_;
    std::shared_ptr<const TokenTrie> trie_;
    mutable std::mutex mutex_;
    std::unique_ptr<Automaton> automaton_;
    State start_ = kDead;
};

/// Grammars of one model by their text, the least recently used leave. Threads: any.
class GrammarCache {
public:
    std::shared_ptr<const Grammar> get(const std::string& text, const TokenOfText& token_of_text,
                                       const std::shared_ptr<const TokenTrie>& trie);
    /// For those that go on from a large one: they share what comes instead.
    std::shared_ptr<const Grammar> renewed(const Grammar& grammar);
    std::size_t size() const;

private:
    struct Entry {
        std::string text;
        std::shared_ptr<const Grammar> grammar;
    };
    mutable std::mutex mutex_;
    std::list<Entry> entries_;  // the latest first
};

}  // namespace jikji::llama
