#include "llama/grammar_automaton.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace jikji::llama {
namespace {

// Limits of one grammar. A JSON schema of a hundred fields stays below a hundredth of each.
constexpr std::size_t kStacks = 8192;         // that one text can have led to
constexpr std::size_t kStates = 30'000;       // kept; each about 1 KB
constexpr std::size_t kNodes = 500'000;       // of all stacks
constexpr std::size_t kNodesOfText = 20'000;  // of the stacks of one text
constexpr std::size_t kMasks = 1024;          // kept; vocabulary / 8 bytes each

// Above this part of kStates and kNodes an automaton is made anew, before the next walk. What is
// left is more than one walk may need, so nobody fails for what others have added.
constexpr std::size_t kLargePart = 4;

// A stack that is only looked at takes a part of a step.
constexpr std::size_t kCheap = 8;

constexpr std::uint32_t kBottom = ~0u;  // below the last entry of a stack
constexpr Grammar::State kUnknown = -2;

}  // namespace

void throw_too_ambiguous(const char* what) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("the grammar is too ambiguous: ") + what +
                    "; let its alternatives differ in their first characters",
                "grammar", "문법이 너무 모호합니다. 각 대안의 첫 글자를 서로 다르게 하세요.");
}

Grammar::State Grammar::Automaton::start() {
    begin();
    call(rules_->root, kBottom);
    return close();
}

bool Grammar::Automaton::large() const {
    return states_.size() >= kStates / kLargePart || nodes_.size() >= kNodes / kLargePart;
}

Grammar::State Grammar::Automaton::next(State from, std::uint8_t byte) {
    const State known = states_[at(from)].next[byte];
    if (known != kUnknown) return known;
    begin();
    const std::vector<std::uint32_t> tops = states_[at(from)].tops;
    spend(tops.size() / kCheap);
    for (const std::uint32_t top : tops) {
        const Node node = nodes_[top];
        const GbnfSymbol symbol = rules_->symbols[node.at];
        if (symbol.kind != GbnfSymbol::kBytes || !rules_->sets[symbol.value][byte]) continue;
        todo_.push_back({node.at + 1, node.below});
    }
    const State to = close();
    states_[at(from)].next[byte] = to;
    return to;
}

Grammar::State Grammar::Automaton::next(State from, std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size() && from != kDead; ++i) {
        from = next(from, static_cast<std::uint8_t>(bytes[i]));
    }
    return from;
}

Grammar::State Grammar::Automaton::next(State from, std::int32_t token, std::string_view bytes) {
    const State by_bytes = bytes.empty() ? kDead : next(from, bytes);
    if (!states_[at(from)].tokens) return by_bytes;
    begin();
    const std::vector<std::uint32_t> tops = states_[at(from)].tops;
    spend(tops.size() / kCheap);
    for (const std::uint32_t top : tops) {
        const Node node = nodes_[top];
        if (calls(rules_->symbols[node.at], token)) todo_.push_back({node.at + 1, node.below});
    }
    if (todo_.empty()) return by_bytes;
    if (by_bytes != kDead) {
        for (const std::uint32_t top : states_[at(by_bytes)].tops) todo_.push_back(nodes_[top]);
        complete_ = states_[at(by_bytes)].complete;
    }
    return close();
}

std::string Grammar::Automaton::forced(State state, std::size_t limit) {
    std::string out;
    while (out.size() < limit) {
        const StateData& data = states_[at(state)];
        if (data.complete || data.tokens) break;
        spend(data.tops.size() / kCheap);
        ByteSet possible;
        for (const std::uint32_t top : data.tops) {
            possible |= rules_->sets[rules_->symbols[nodes_[top].at].value];
        }
        if (possible.count() != 1) break;
        std::uint8_t byte = 0;
        while (!possible[byte]) ++byte;
        state = next(state, byte);
        if (state == kDead) break;
        out += static_cast<char>(byte);
    }
    return out;
}

std::shared_ptr<const TokenMask> Grammar::Automaton::allowed(State state) {
    const auto known = masks_.find(state);
    if (known != masks_.end()) return known->second;
    if (masks_.size() >= kMasks) masks_.clear();
    auto mask = std::make_shared<TokenMask>((trie_->vocabulary() + 63) / 64);
    mark_by_bytes(state, *mask);
    mark_by_number(state, *mask);
    if (states_[at(state)].complete) {
        for (const std::int32_t token : trie_->ends()) mark(*mask, token);
    }
    return masks_[state] = std::move(mask);
}

Grammar::State Grammar::Automaton::adopt(const Automaton& from, State state) {
    begin();
    const StateData& data = from.states_[at(state)];
    Copied copied;
    std::vector<std::uint32_t> tops;
    for (const std::uint32_t top : data.tops) tops.push_back(copy(from, top, copied));
    std::sort(tops.begin(), tops.end());
    complete_ = data.complete;
    return keep(std::move(tops), data.tokens);
}

// Down to what is here already, and up again.
std::uint32_t Grammar::Automaton::copy(const Automaton& from, std::uint32_t node, Copied& copied) {
    std::vector<std::uint32_t> path;
    for (; node != kBottom && !copied.contains(node); node = from.nodes_[node].below) {
        path.push_back(node);
        if (copied.size() + path.size() > kNodesOfText) throw_too_ambiguous("it nests too deep");
    }
    spend(path.size() + 1);
    std::uint32_t here = node == kBottom ? kBottom : copied.at(node);
    for (auto one = path.rbegin(); one != path.rend(); ++one) {
        here = intern({from.nodes_[*one].at, here});
        copied.emplace(*one, here);
    }
    return here;
}

void Grammar::Automaton::begin() {
    todo_.clear();
    complete_ = false;
    ++visit_;
}

void Grammar::Automaton::spend(std::size_t steps) {
    work_ += steps;
    if (work_ > kWalkWork) throw_too_ambiguous("one token of it takes too long");
}

std::uint32_t Grammar::Automaton::intern(const Node& node) {
    const auto [found, fresh] = node_ids_.emplace(node, nodes_.size());
    if (fresh) {
        if (nodes_.size() >= kNodes) {
            node_ids_.erase(found);
            throw_too_ambiguous("it nests too deep");
        }
        nodes_.push_back(node);
        visited_.push_back(0);
    }
    return static_cast<std::uint32_t>(found->second);
}

void Grammar::Automaton::call(std::uint32_t rule, std::uint32_t below) {
    for (const std::uint32_t alternative : rules_->alternatives[rule]) {
        todo_.push_back({alternative, below});
    }
}

// Walks from every entry of todo_ to the next byte or token that it waits for.
Grammar::State Grammar::Automaton::close() {
    std::vector<std::uint32_t> tops;
    bool tokens = false;
    while (!todo_.empty()) {
        spend(1);
        const Node node = todo_.back();
        todo_.pop_back();
        const std::uint32_t id = intern(node);
        if (visited_[id] == visit_) continue;
        visited_[id] = visit_;
        const GbnfSymbol symbol = rules_->symbols[node.at];
        if (symbol.kind == GbnfSymbol::kEnd) {
            if (node.below == kBottom) {
                complete_ = true;
            } else {
                todo_.push_back(nodes_[node.below]);
            }
        } else if (symbol.kind == GbnfSymbol::kRule) {
            const bool last = rules_->symbols[node.at + 1].kind == GbnfSymbol::kEnd;
            call(symbol.value, last ? node.below : intern({node.at + 1, node.below}));
        } else {
            if (tops.size() >= kStacks)
                throw_too_ambiguous("one text can be read in too many ways");
            tops.push_back(id);
            tokens = tokens || symbol.kind != GbnfSymbol::kBytes;
        }
    }
    if (tops.empty() && !complete_) return kDead;
    std::sort(tops.begin(), tops.end());
    return keep(std::move(tops), tokens);
}

Grammar::State Grammar::Automaton::keep(std::vector<std::uint32_t> tops, bool tokens) {
    std::string key(reinterpret_cast<const char*>(tops.data()), tops.size() * sizeof tops[0]);
    key += complete_ ? '1' : '0';
    const auto [found, fresh] = state_ids_.emplace(std::move(key), states_.size());
    if (fresh) {
        if (states_.size() >= kStates) {
            state_ids_.erase(found);
            throw_too_ambiguous("its texts take too many turns");
        }
        StateData& data = states_.emplace_back();
        data.tops = std::move(tops);
        data.complete = complete_;
        data.tokens = tokens;
        data.next.fill(kUnknown);
    }
    return static_cast<State>(found->second);
}

// Entry after entry in the order of a dictionary; a beginning that is dead skips all its own.
void Grammar::Automaton::mark_by_bytes(State start, TokenMask& mask) {
    std::vector<State> path = {start};  // path[k]: after k bytes of the entry; all alive
    for (const TokenTrie::Entry& entry : trie_->entries()) {
        if (entry.shared >= path.size()) continue;  // it shares the byte that was refused
        path.resize(entry.shared + std::size_t{1});
        const std::string_view bytes = trie_->bytes(entry);
        for (std::size_t i = entry.shared; i < bytes.size(); ++i) {
            const State to = next(path.back(), static_cast<std::uint8_t>(bytes[i]));
            if (to == kDead) break;
            path.push_back(to);
        }
        if (path.size() == bytes.size() + 1) mark(mask, entry.token);
    }
}

void Grammar::Automaton::mark_by_number(State state, TokenMask& mask) {
    if (!states_[at(state)].tokens) return;
    for (const std::uint32_t top : states_[at(state)].tops) {
        const GbnfSymbol symbol = rules_->symbols[nodes_[top].at];
        const bool known = symbol.value < trie_->vocabulary();
        if (symbol.kind == GbnfSymbol::kToken && known) {
            mark(mask, static_cast<std::int32_t>(symbol.value));
        }
        if (symbol.kind != GbnfSymbol::kNotToken) continue;
        spend(trie_->vocabulary() / 64);
        for (std::size_t token = 0; token < trie_->vocabulary(); ++token) {
            const auto t = static_cast<std::int32_t>(token);
            if (calls(symbol, t)) mark(mask, t);
        }
    }
}

}  // namespace jikji::llama
