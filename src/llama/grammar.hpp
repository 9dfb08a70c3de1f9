#pragma once
// A compiled grammar: which bytes may follow, and so which tokens.
//
// Method   a pushdown automaton over bytes, made deterministic as it is walked: a state is the set
//          of all stacks that the text so far can have led to, states and what follows them are
//          kept, and so are the tokens that a state allows. A text costs one look-up a byte; only
//          what no text met before is worked out.
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

class Grammar {
public:
    using State = std::int32_t;
    static constexpr State kDead = -1;  // no text of the grammar begins like this

    /// Throws as parse_gbnf(), also if its beginning alone is beyond the limits.
    Grammar(std::string_view text, const TokenOfText& token_of_text,
            std::shared_ptr<const TokenTrie> trie);
    ~Grammar();

    State start() const { return start_; }
    State next(State state, std::string_view bytes) const;
    /// The same for a token: what the grammar calls by number (<[7]>), or its bytes.
    State next(State state, std::int32_t token, std::string_view bytes) const;
    /// The text may end here.
    bool complete(State state) const;
    /// Nothing may follow.
    bool finished(State state) const;
    /// The bytes that must follow, whatever the text becomes: empty where there is a choice, or
    /// where the text may end. At most `limit` bytes; may end inside a character.
    std::string forced(State state, std::size_t limit = 128) const;
    /// The tokens that may come, those that end the text among them if it may end. Throws
    /// Error(kInvalidArgument) if the grammar allows so much at once that this would take seconds.
    std::shared_ptr<const TokenMask> allowed(State state) const;

    /// States that were met; a cache makes a grammar anew when this gets large.
    std::size_t states() const;

private:
    class Automaton;
    mutable std::mutex mutex_;
    std::unique_ptr<Automaton> automaton_;
    State start_ = kDead;
};

/// Grammars of one model by their text, the least recently used leave. Threads: any.
class GrammarCache {
public:
    std::shared_ptr<const Grammar> get(const std::string& text, const TokenOfText& token_of_text,
                                       const std::shared_ptr<const TokenTrie>& trie);
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
