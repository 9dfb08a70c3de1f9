#pragma once
// Where sentences begin and end, in Korean and English. Threads: any.
#include <cstddef>
#include <string_view>
#include <vector>

namespace jikji::text {

struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;  // one past the last byte
};

/// The sentences of `text` in order, without surrounding white space. A sentence ends at . ? ! … 。
/// with what closes it (quotes, brackets) when white space or the end follows, and at every line
/// break. 3.14, e.g., U.S. and 1. (of a list) do not end one.
std::vector<Span> sentences_of(std::string_view text);

}  // namespace jikji::text
