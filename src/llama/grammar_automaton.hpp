#pragma once
// The automaton behind a Grammar, made deterministic as it is walked. Private to grammar.cpp.
//
// Stacks share their lower parts: a stack is its top and the number of what lies below.
// Work     is counted in steps (kWalkWork); states that are known already cost none.
// Threads  one at a time.
#include <array>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "llama/grammar.hpp"

namespace jikji::llama {

class Grammar::Automaton {
public:
    Automaton(std::shared_ptr<const GbnfRules> rules, std::shared_ptr<const TokenTrie> trie)
        : rules_(std::move(rules)), trie_(std::move(trie)) {}

    State start();
    bool complete(State state) const { return states_[at(state)].complete; }
    bool finished(State state) const {
        const StateData& data = states_[at(state)];
        return data.complete && data.tops.empty();
    }

    State next(State from, std::string_view bytes);
    /// A token that the grammar calls by number, or its bytes, or both at once.
    State next(State from, std::int32_t token, std::string_view bytes);
    std::string forced(State state, std::size_t limit);
    std::shared_ptr<const TokenMask> allowed(State state);
    /// A state of another automaton of the same rules: its stacks, and nothing else that it knows.
    State adopt(const Automaton& from, State state);

    void reset_work() { work_ = 0; }
    std::size_t work() const { return work_; }
    std::size_t states() const { return states_.size(); }
    bool large() const;

private:
    struct Node {
        std::uint32_t at;     // symbol
        std::uint32_t below;  // node, where to go on after this alternative
        bool operator==(const Node&) const = default;
    };
    struct NodeHash {
        std::size_t operator()(const Node& n) const {
            return (std::uint64_t{n.at} << 32 | n.below) * 0x9E3779B97F4A7C15ull >> 16;
        }
    };
    struct StateData {
        std::vector<std::uint32_t> tops;  // nodes whose symbol is bytes or a token; sorted
        bool complete;
        bool tokens;  // some of them call tokens by number
        std::array<State, 256> next;
    };
    using Copied = std::unordered_map<std::uint32_t, std::uint32_t>;  // theirs -> ours

    static std::size_t at(State state) { return static_cast<std::size_t>(state); }
    static void mark(TokenMask& mask, std::int32_t token) {
        mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    }
    static bool calls(const GbnfSymbol& symbol, std::int32_t token) {
        const bool same = symbol.value == static_cast<std::uint32_t>(token);
        return (symbol.kind == GbnfSymbol::kToken && same) ||
               (symbol.kind == GbnfSymbol::kNotToken && !same);
    }

    State next(State from, std::uint8_t byte);
    void begin();
    void spend(std::size_t steps);
    std::uint32_t intern(const Node& node);
    void call(std::uint32_t rule, std::uint32_t below);
    State close();
    State keep(std::vector<std::uint32_t> tops, bool tokens);
    std::uint32_t copy(const Automaton& from, std::uint32_t node, Copied& copied);
    void mark_by_bytes(State start, TokenMask& mask);
    void mark_by_number(State state, TokenMask& mask);

    std::shared_ptr<const GbnfRules> rules_;
    std::shared_ptr<const TokenTrie> trie_;
    std::vector<Node> nodes_;
    std::unordered_map<Node, std::size_t, NodeHash> node_ids_;
    std::deque<StateData> states_;
    std::unordered_map<std::string, std::size_t> state_ids_;
    std::unordered_map<State, std::shared_ptr<const TokenMask>> masks_;
    std::vector<Node> todo_;
    std::vector<std::uint64_t> visited_;  // by node: the last close() that met it
    std::uint64_t visit_ = 0;
    bool complete_ = false;
    std::size_t work_ = 0;
};

}  // namespace jikji::llama
