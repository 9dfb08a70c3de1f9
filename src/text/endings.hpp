#pragma once
// Korean words carry particles and verb endings; what stands before them is what they mean.
// A list, no morphology: it errs on short words, so callers weigh rather than drop. Threads: any.
#include <cstddef>
#include <string_view>

namespace jikji::text {

/// The bytes of the longest known ending that `word` has, with at least one syllable before it;
/// 0 if it has none. 신청하나요 -> 하나요, 휴가는 -> 는.
std::size_t ending_bytes(std::string_view word);

}  // namespace jikji::text
