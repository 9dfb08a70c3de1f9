#pragma once
// The tokens of a vocabulary as bytes, in the order of a dictionary: tokens that begin alike stand
// together, so a grammar reads each beginning once.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::llama {

class Model;

/// Threads: immutable.
class TokenTrie {
public:
    explicit TokenTrie(const Model& model);

    struct Entry {
        std::int32_t token;
        std::uint32_t begin;   // of its bytes
        std::uint16_t length;  // bytes, at least 1
        std::uint16_t shared;  // bytes that it has in common with the entry before
    };
    const std::vector<Entry>& entries() const { return entries_; }
    std::string_view bytes(const Entry& entry) const {
        return std::string_view(bytes_).substr(entry.begin, entry.length);
    }
    const std::vector<std::int32_t>& ends() const { return ends_; }  // tokens that end a text
    std::size_t vocabulary() const { return vocabulary_; }

private:
    std::string bytes_;
    std::vector<Entry> entries_;  // without control tokens, and without those that have no bytes
    std::vector<std::int32_t> ends_;
    std::size_t vocabulary_ = 0;
};

}  // namespace jikji::llama
