#pragma once
// A set of characters as the sequences of bytes that spell them in UTF-8.
#include <cstdint>
#include <utility>
#include <vector>

namespace jikji::llama {

using CharacterRange = std::pair<std::uint32_t, std::uint32_t>;  // first and last, inclusive
using ByteRange = std::pair<std::uint8_t, std::uint8_t>;         // the same of bytes

/// Sorted, without overlaps, within 0..10FFFF and without surrogates; `inverted`: all others.
std::vector<CharacterRange> normalised(std::vector<CharacterRange> ranges, bool inverted);

/// Each entry: one to four ranges of bytes; together they match exactly these characters.
std::vector<std::vector<ByteRange>> utf8_sequences(const std::vector<CharacterRange>& ranges);

}  // namespace jikji::llama
