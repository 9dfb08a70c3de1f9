#include "llama/grammar.hpp"

#include <algorithm>
#include <array>
#include <deque>

#include "base/error.hpp"

namespace jikji::llama {
namespace {

// Limits of one grammar. A JSON schema of a hundred fields stays below a hundredth of each.
constexpr std::size_t kStacks = 8192;     // that one text can have led to
constexpr std::size_t kStates = 30'000;   // kept; each about 1 KB
constexpr std::size_t kNodes = 500'000;   // of all stacks
constexpr std::size_t kMasks = 1024;      // kept; vocabulary / 8 bytes each
constexpr std::size_t kWork = 4'000'000;  // steps for one token: about 0.2 s

constexpr std::uint32_t kBottom = ~0u;  // below the last entry of a stack
constexpr Grammar::State kUnknown = -2;

[[noreturn]] void too_much(const char* what) {
    throw Error(ErrorCode::kInvalidArgument,
                std::string("the grammar is too ambiguous: ") + what +
                    "; let its alternatives differ in their first characters",
                "grammar", "문법이 너무 모호합니다. 각 대안의 첫 글자를 서로 다르게 하세요.");
}

}  // namespace

// Stacks share their lower parts: a stack is its top and the number of what lies below.
class Grammar::Automaton {
public:
    Automaton(GbnfRules rules, std::shared_ptr<const TokenTrie> trie)
        : rules_(std::move(rules)), trie_(std::move(trie)) {}

    State start() {
        begin();
        call(rules_.root, kBottom);
        return close();
    }

    bool complete(State state) const { return states_[at(state)].complete; }
    bool finished(State state) const {
        const StateData& data = states_[at(state)];
        return data.complete && data.tops.empty();
    }
    std::size_t states() const { return states_.size(); }

    State next(State from, std::uint8_t byte) {
        const State known = states_[at(from)].next[byte];
        if (known != kUnknown) return known;
        begin();
        const std::vector<std::uint32_t> tops = states_[at(from)].tops;
        for (const std::uint32_t top : tops) {
            const Node node = nodes_[top];
            const GbnfSymbol symbol = rules_.symbols[node.at];
            if (symbol.kind != GbnfSymbol::kBytes || !rules_.sets[symbol.value][byte]) continue;
            todo_.push_back({node.at + 1, node.below});
        }
        const State to = close();
        states_[at(from)].next[byte] = to;
        return to;
    }

    State next(State from, std::string_view bytes) {
        for (std::size_t i = 0; i < bytes.size() && from != kDead; ++i) {
            from = next(from, static_cast<std::uint8_t>(bytes[i]));
        }
        return from;
    }

    // A token that the grammar calls by number, or its bytes, or both at once.
    State next(State from, std::int32_t token, std::string_view bytes) {
        work_ = 0;
        const State by_bytes = bytes.empty() ? kDead : next(from, bytes);
        if (!states_[at(from)].tokens) return by_bytes;
        begin();
        const std::vector<std::uint32_t> tops = states_[at(from)].tops;
        for (const std::uint32_t top : tops) {
            const Node node = nodes_[top];
            if (calls(rules_.symbols[node.at], token)) todo_.push_back({node.at + 1, node.below});
        }
        if (todo_.empty()) return by_bytes;
        if (by_bytes != kDead) {
            for (const std::uint32_t top : states_[at(by_bytes)].tops) todo_.push_back(nodes_[top]);
            complete_ = states_[at(by_bytes)].complete;
        }
        return close();
    }

    std::string forced(State state, std::size_t limit) {
        std::string out;
        work_ = 0;
        while (out.size() < limit) {
            const StateData& data = states_[at(state)];
            if (data.complete || data.tokens) break;
            ByteSet possible;
            for (const std::uint32_t top : data.tops) {
                possible |= rules_.sets[rules_.symbols[nodes_[top].at].value];
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

    std::shared_ptr<const TokenMask> allowed(State state) {
        const auto known = masks_.find(state);
        if (known != masks_.end()) return known->second;
        if (masks_.size() >= kMasks) masks_.clear();
        auto mask = std::make_shared<TokenMask>((trie_->vocabulary() + 63) / 64);
        work_ = 0;
        mark_by_bytes(state, *mask);
        mark_by_number(state, *mask);
        if (states_[at(state)].complete) {
            for (const std::int32_t token : trie_->ends()) mark(*mask, token);
        }
        return masks_[state] = std::move(mask);
    }

    void reset_work() { work_ = 0; }

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

    static std::size_t at(State state) { return static_cast<std::size_t>(state); }
    static void mark(TokenMask& mask, std::int32_t token) {
        mask[static_cast<std::size_t>(token) / 64] |= 1ull << (token % 64);
    }
    static bool calls(const GbnfSymbol& symbol, std::int32_t token) {
        const bool same = symbol.value == static_cast<std::uint32_t>(token);
        return (symbol.kind == GbnfSymbol::kToken && same) ||
               (symbol.kind == GbnfSymbol::kNotToken && !same);
    }

    void begin() {
        todo_.clear();
        complete_ = false;
        ++visit_;
    }

    std::uint32_t intern(const Node& node) {
        const auto [found, fresh] = node_ids_.emplace(node, nodes_.size());
        if (fresh) {
            if (nodes_.size() >= kNodes) too_much("it nests too deep");
            nodes_.push_back(node);
            visited_.push_back(0);
        }
        return static_cast<std::uint32_t>(found->second);
    }

    void call(std::uint32_t rule, std::uint32_t below) {
        for (const std::uint32_t alternative : rules_.alternatives[rule]) {
            todo_.push_back({alternative, below});
        }
    }

    // Walks from every entry of todo_ to the next byte or token that it waits for.
    State close() {
        std::vector<std::uint32_t> tops;
        bool tokens = false;
        while (!todo_.empty()) {
            if (++work_ > kWork) too_much("one token of it takes too long");
            const Node node = todo_.back();
            todo_.pop_back();
            const std::uint32_t id = intern(node);
            if (visited_[id] == visit_) continue;
            visited_[id] = visit_;
            const GbnfSymbol symbol = rules_.symbols[node.at];
            if (symbol.kind == GbnfSymbol::kEnd) {
                if (node.below == kBottom) {
                    complete_ = true;
                } else {
                    todo_.push_back(nodes_[node.below]);
                }
            } else if (symbol.kind == GbnfSymbol::kRule) {
                const bool last = rules_.symbols[node.at + 1].kind == GbnfSymbol::kEnd;
                call(symbol.value, last ? node.below : intern({node.at + 1, node.below}));
            } else {
                if (tops.size() >= kStacks) too_much("one text can be read in too many ways");
                tops.push_back(id);
                tokens = tokens || symbol.kind != GbnfSymbol::kBytes;
            }
        }
        if (tops.empty() && !complete_) return kDead;
        std::sort(tops.begin(), tops.end());
        return keep(std::move(tops), tokens);
    }

    State keep(std::vector<std::uint32_t> tops, bool tokens) {
        std::string key(reinterpret_cast<const char*>(tops.data()), tops.size() * sizeof tops[0]);
        key += complete_ ? '1' : '0';
        const auto [found, fresh] = state_ids_.emplace(std::move(key), states_.size());
        if (fresh) {
            if (states_.size() >= kStates) too_much("its texts take too many turns");
            StateData& data = states_.emplace_back();
            data.tops = std::move(tops);
            data.complete = complete_;
            data.tokens = tokens;
            data.next.fill(kUnknown);
        }
        return static_cast<State>(found->second);
    }

    // Entry after entry in the order of a dictionary; a beginning that is dead skips all its own.
    void mark_by_bytes(State start, TokenMask& mask) {
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

    void mark_by_number(State state, TokenMask& mask) {
        if (!states_[at(state)].tokens) return;
        for (const std::uint32_t top : states_[at(state)].tops) {
            const GbnfSymbol symbol = rules_.symbols[nodes_[top].at];
            if (symbol.kind == GbnfSymbol::kBytes) continue;
            for (std::size_t token = 0; token < trie_->vocabulary(); ++token) {
                const auto t = static_cast<std::int32_t>(token);
                if (calls(symbol, t)) mark(mask, t);
            }
        }
    }

    GbnfRules rules_;
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

Grammar::Grammar(std::string_view text, const TokenOfText& token_of_text,
                 std::shared_ptr<const TokenTrie> trie)
    : automaton_(std::make_unique<Automaton>(parse_gbnf(text, token_of_text), std::move(trie))) {
    start_ = automaton_->start();
    // What is beyond the limits from the start is refused now, and not amid an answer.
    const bool some = start_ != kDead && std::any_of(automaton_->allowed(start_)->begin(),
                                                     automaton_->allowed(start_)->end(),
                                                     [](std::uint64_t bits) { return bits != 0; });
    if (!some) {
        throw Error(ErrorCode::kInvalidArgument,
                    "no token of this model can begin a text of the grammar", "grammar",
                    "이 모델의 어떤 토큰으로도 문법에 맞는 글을 시작할 수 없습니다.");
    }
}

Grammar::~Grammar() = default;

Grammar::State Grammar::next(State state, std::string_view bytes) const {
    if (state == kDead) return kDead;
    const std::lock_guard lock(mutex_);
    automaton_->reset_work();
    return automaton_->next(state, bytes);
}

Grammar::State Grammar::next(State state, std::int32_t token, std::string_view bytes) const {
    if (state == kDead) return kDead;
    const std::lock_guard lock(mutex_);
    return automaton_->next(state, token, bytes);
}

bool Grammar::complete(State state) const {
    const std::lock_guard lock(mutex_);
    return state != kDead && automaton_->complete(state);
}

bool Grammar::finished(State state) const {
    const std::lock_guard lock(mutex_);
    return state == kDead || automaton_->finished(state);
}

std::string Grammar::forced(State state, std::size_t limit) const {
    if (state == kDead) return {};
    const std::lock_guard lock(mutex_);
    return automaton_->forced(state, limit);
}

std::shared_ptr<const TokenMask> Grammar::allowed(State state) const {
    const std::lock_guard lock(mutex_);
    return automaton_->allowed(state);
}

std::size_t Grammar::states() const {
    const std::lock_guard lock(mutex_);
    return automaton_->states();
}

namespace {

constexpr std::size_t kGrammars = 64;
constexpr std::size_t kStatesKept = kStates / 4;  // of one; above that it is made anew
constexpr std::size_t kStatesOfAll = 2 * kStates;

}  // namespace

std::shared_ptr<const Grammar> GrammarCache::get(const std::string& text,
                                                 const TokenOfText& token_of_text,
                                                 const std::shared_ptr<const TokenTrie>& trie) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(entries_.begin(), entries_.end(),
                                        [&](const Entry& entry) { return entry.text == text; });
        if (found != entries_.end() && found->grammar->states() < kStatesKept) {
            entries_.splice(entries_.begin(), entries_, found);
            return found->grammar;
        }
    }
    auto made = std::make_shared<const Grammar>(text, token_of_text, trie);
    const std::lock_guard lock(mutex_);
    std::erase_if(entries_, [&](const Entry& entry) { return entry.text == text; });
    entries_.push_front({text, made});
    std::size_t states = 0;
    for (const Entry& entry : entries_) states += entry.grammar->states();
    while (entries_.size() > kGrammars || (states > kStatesOfAll && entries_.size() > 1)) {
        states -= std::min(states, entries_.back().grammar->states());
        entries_.pop_back();
    }
    return made;
}

std::size_t GrammarCache::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace jikji::llama
