#include "engine/prefix_store.hpp"

#include <algorithm>

namespace jikji::engine {
namespace {

std::size_t bytes_of(const PrefixStore::Entry& entry) {
    return entry.state.size() + entry.tokens.size() * sizeof(Token);
}

}  // namespace

int common_prefix(const std::vector<Token>& a, const std::vector<Token>& b) {
    const auto end = std::min(a.size(), b.size());
    const auto differs =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(end), b.begin());
    return static_cast<int>(differs.first - a.begin());
}

PrefixStore::Found PrefixStore::find(const std::vector<Token>& tokens) {
    auto best = entries_.end();
    int common = 0;
    for (auto it = entries_.begin(); it != entries_.end(); ++it) {
        const int shared = common_prefix(it->tokens, tokens);
        if (shared <= common) continue;
        best = it;
        common = shared;
    }
    if (best == entries_.end()) return {};
    entries_.splice(entries_.begin(), entries_, best);
    return {&entries_.front(), common};
}

bool PrefixStore::wants(const std::vector<Token>& tokens) const {
    return std::none_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return common_prefix(entry.tokens, tokens) == static_cast<int>(tokens.size());
    });
}

void PrefixStore::put(Entry entry) {
    if (bytes_of(entry) > bytes_max_) return;
    std::erase_if(entries_, [&](const Entry& old) {
        const bool beginning =
            common_prefix(old.tokens, entry.tokens) == static_cast<int>(old.tokens.size());
        if (beginning) bytes_ -= bytes_of(old);
        return beginning;
    });
    bytes_ += bytes_of(entry);
    entries_.push_front(std::move(entry));
    while (bytes_ > bytes_max_) {
        bytes_ -= bytes_of(entries_.back());
        entries_.pop_back();
    }
}

}  // namespace jikji::engine
