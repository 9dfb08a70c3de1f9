#include "llama/utf8_ranges.hpp"

#include <algorithm>

namespace jikji::llama {
namespace {

constexpr std::uint32_t kLast = 0x10FFFF;

std::vector<std::uint8_t> spelled(std::uint32_t c) {
    const auto tail = [&](int shift) {
        return static_cast<std::uint8_t>(0x80 | ((c >> shift) & 0x3F));
    };
    if (c < 0x80) return {static_cast<std::uint8_t>(c)};
    if (c < 0x800) return {static_cast<std::uint8_t>(0xC0 | (c >> 6)), tail(0)};
    if (c < 0x10000) return {static_cast<std::uint8_t>(0xE0 | (c >> 12)), tail(6), tail(0)};
    return {static_cast<std::uint8_t>(0xF0 | (c >> 18)), tail(12), tail(6), tail(0)};
}

// Cuts a range until the first and the last character of each part differ, byte by byte, only where
// all later bytes span everything.
void split(std::uint32_t first, std::uint32_t last, std::vector<std::vector<ByteRange>>& out) {
    for (const std::uint32_t end : {0x7Fu, 0x7FFu, 0xFFFFu}) {
        if (first <= end && end < last) {
            split(first, end, out);
            split(end + 1, last, out);
            return;
        }
    }
    if (last > 0x7F) {
        for (int i = 1; i < 4; ++i) {
            const std::uint32_t mask = (1u << (6 * i)) - 1;
            if ((first & ~mask) == (last & ~mask)) continue;
            if ((first & mask) != 0) {
                split(first, first | mask, out);
                split((first | mask) + 1, last, out);
                return;
            }
            if ((last & mask) != mask) {
                split(first, (last & ~mask) - 1, out);
                split(last & ~mask, last, out);
                return;
            }
        }
    }
    const auto low = spelled(first);
    const auto high = spelled(last);
    auto& sequence = out.emplace_back();
    for (std::size_t i = 0; i < low.size(); ++i) sequence.emplace_back(low[i], high[i]);
}

}  // namespace

std::vector<CharacterRange> normalised(std::vector<CharacterRange> ranges, bool inverted) {
    std::sort(ranges.begin(), ranges.end());
    std::vector<CharacterRange> merged;
    for (const auto& [first, given_last] : ranges) {
        const std::uint32_t last = std::min(given_last, kLast);
        if (first > last) continue;
        if (!merged.empty() && first <= merged.back().second + 1) {
            merged.back().second = std::max(merged.back().second, last);
        } else {
            merged.emplace_back(first, last);
        }
    }
    if (inverted) {
        std::vector<CharacterRange> gaps;
        std::uint32_t next = 0;
        for (const auto& [first, last] : merged) {
            if (first > next) gaps.emplace_back(next, first - 1);
            next = last + 1;
        }
        if (next <= kLast) gaps.emplace_back(next, kLast);
        merged = std::move(gaps);
    }
    std::vector<CharacterRange> out;
    const auto put = [&](std::uint32_t first, std::uint32_t last) {
        if (first <= last) out.emplace_back(first, last);
    };
    for (const auto& [first, last] : merged) {
        put(first, std::min(last, 0xD7FFu));  // no surrogates: UTF-8 has none
        put(std::max(first, 0xE000u), std::min(last, kLast));
    }
    return out;
}

std::vector<std::vector<ByteRange>> utf8_sequences(const std::vector<CharacterRange>& ranges) {
    std::vector<std::vector<ByteRange>> out;
    for (const auto& [first, last] : ranges) split(first, last, out);
    return out;
}

}  // namespace jikji::llama
