#pragma once
// How much of one text is in another (mission.md S16): Ratcliff and Obershelp's ratio as Python's
// difflib computes it, digit for digit. Threads: any; pure.
#include <string_view>

namespace jikji::evaluation {

/// difflib.SequenceMatcher(None, a, b).ratio() over code points, autojunk included: characters
/// that make up more than 1 % of a `b` of 200 or more characters do not start a match. 0..1; 1 for
/// two empty texts. Bytes that are not UTF-8 count as U+FFFD.
/// Work: matching pairs of characters, times the depth of the splitting: under 0.1 s for prose of
/// 64 KB, more for texts made to be slow. Callers bound the length.
double relevance(std::string_view a, std::string_view b);

}  // namespace jikji::evaluation
