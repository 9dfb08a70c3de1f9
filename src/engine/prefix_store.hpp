#pragma once
// What sequences computed, kept in memory after they end: the next turn of a chat, or another
// question behind the same long instructions, starts where an earlier one got to. Outside the KV
// cells, because every running sequence pays for used cells at each step.
// Threads: the compute thread only.
#include <cstddef>
#include <list>
#include <string>
#include <vector>

#include "engine/request.hpp"

namespace jikji::engine {

class PrefixStore {
public:
    explicit PrefixStore(std::size_t bytes_max) : bytes_max_(bytes_max) {}

    struct Entry {
        std::vector<Token> tokens;
        std::string state;  // of a sequence that holds exactly `tokens`
    };

    struct Found {
        const Entry* entry = nullptr;  // valid until put() or the next find()
        int common = 0;                // tokens that it shares with what was asked for
    };

    /// The entry that shares the longest beginning with `tokens`; none if they share nothing.
    Found find(const std::vector<Token>& tokens);

    /// Whether put() would keep it: nothing kept already says the same and more.
    bool wants(const std::vector<Token>& tokens) const;

    /// Keeps it, instead of entries that are a beginning of it; the least recently used go when
    /// there are too many bytes.
    void put(Entry entry);

    std::size_t bytes() const { return bytes_; }
    std::size_t entries() const { return entries_.size(); }

private:
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // most recently used first
};

/// Tokens that both begin with.
int common_prefix(const std::vector<Token>& a, const std::vector<Token>& b);

}  // namespace jikji::engine
