#include "llama/grammar.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "llama/grammar_automaton.hpp"

namespace jikji::llama {

// What a walk takes counts also if it comes to nothing.
class Grammar::Walk {
public:
    Walk(const Grammar& grammar, std::size_t* work)
        : lock_(grammar.mutex_), automaton_(*grammar.automaton_), work_(work) {
        automaton_.reset_work();
    }
    ~Walk() {
        if (work_ != nullptr) *work_ += automaton_.work();
    }
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;
    Automaton* operator->() { return &automaton_; }

private:
    const std::lock_guard<std::mutex> lock_;
    Automaton& automaton_;
    std::size_t* work_;
};

Grammar::Grammar(std::string_view text, const TokenOfText& token_of_text,
                 std::shared_ptr<const TokenTrie> trie)
    : Grammar(std::make_shared<const GbnfRules>(parse_gbnf(text, token_of_text)), std::move(trie)) {
    // What is beyond the limits from the start is refused now, and not amid an answer.
    automaton_->reset_work();
    const bool some = start_ != kDead && std::any_of(automaton_->allowed(start_)->begin(),
                                                     automaton_->allowed(start_)->end(),
                                                     [](std::uint64_t bits) { return bits != 0; });
    if (!some) {
        throw Error(ErrorCode::kInvalidArgument,
                    "no token of this model can begin a text of the grammar", "grammar",
                    "이 모델의 어떤 토큰으로도 문법에 맞는 글을 시작할 수 없습니다.");
    }
}

Grammar::Grammar(std::shared_ptr<const GbnfRules> rules, std::shared_ptr<const TokenTrie> trie)
    : rules_(std::move(rules)),
      trie_(std::move(trie)),
      automaton_(std::make_unique<Automaton>(rules_, trie_)),
      start_(automaton_->start()) {}

Grammar::~Grammar() = default;

std::shared_ptr<const Grammar> Grammar::renewed() const {
    return std::make_shared<const Grammar>(rules_, trie_);
}

Grammar::State Grammar::adopt(const Grammar& other, State state, std::size_t* work) const {
    JIKJI_CHECK(other.rules_ == rules_);
    if (state == kDead || &other == this) return state;
    const std::lock_guard lock(other.mutex_);  // always the older one first
    return Walk(*this, work)->adopt(*other.automaton_, state);
}

Grammar::State Grammar::next(State state, std::string_view bytes, std::size_t* work) const {
    return state == kDead ? kDead : Walk(*this, work)->next(state, bytes);
}

Grammar::State Grammar::next(State state, std::int32_t token, std::string_view bytes,
                             std::size_t* work) const {
    return state == kDead ? kDead : Walk(*this, work)->next(state, token, bytes);
}

bool Grammar::complete(State state) const {
    const std::lock_guard lock(mutex_);
    return state != kDead && automaton_->complete(state);
}

bool Grammar::finished(State state) const {
    const std::lock_guard lock(mutex_);
    return state == kDead || automaton_->finished(state);
}

std::string Grammar::forced(State state, std::size_t limit, std::size_t* work) const {
    return state == kDead ? std::string() : Walk(*this, work)->forced(state, limit);
}

std::shared_ptr<const TokenMask> Grammar::allowed(State state, std::size_t* work) const {
    return Walk(*this, work)->allowed(state);
}

std::size_t Grammar::states() const {
    const std::lock_guard lock(mutex_);
    return automaton_->states();
}

bool Grammar::large() const {
    const std::lock_guard lock(mutex_);
    return automaton_->large();
}

}  // namespace jikji::llama
