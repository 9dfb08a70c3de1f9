#include <algorithm>

#include "llama/grammar.hpp"

namespace jikji::llama {
namespace {

constexpr std::size_t kGrammars = 64;
constexpr std::size_t kStatesOfAll = 60'000;

}  // namespace

std::shared_ptr<const Grammar> GrammarCache::get(const std::string& text,
                                                 const TokenOfText& token_of_text,
                                                 const std::shared_ptr<const TokenTrie>& trie) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(entries_.begin(), entries_.end(),
                                        [&](const Entry& entry) { return entry.text == text; });
        if (found != entries_.end()) {
            entries_.splice(entries_.begin(), entries_, found);
            if (found->grammar->large()) found->grammar = found->grammar->renewed();
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

std::shared_ptr<const Grammar> GrammarCache::renewed(const Grammar& grammar) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.grammar->same_text(grammar);
    });
    if (found == entries_.end()) return grammar.renewed();  // it has left
    if (found->grammar->large()) found->grammar = found->grammar->renewed();
    return found->grammar;
}

std::size_t GrammarCache::size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

}  // namespace jikji::llama
