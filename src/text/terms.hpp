#pragma once
// Search terms of a text: the tokenizer "kori". Latin words are stemmed, runs of Hangul and CJK
// become overlapping pairs of syllables, so that 정책 is found in 보안정책을. Threads: any.
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::text {

/// Goes up with every change of what for_each_term gives: an index built by another version has
/// to be built again.
inline constexpr int kTermsVersion = 1;

/// Calls emit(term, begin, end) for every search term of UTF-8 text, in order; begin and end are
/// byte offsets into `text`. Stops when emit returns false. The term is valid during the call only.
/// Bytes that are not UTF-8 separate terms.
void for_each_term(std::string_view text,
                   const std::function<bool(std::string_view, std::size_t, std::size_t)>& emit);

/// All of them, in order, repeats included.
std::vector<std::string> terms_of(std::string_view text);

/// Terms that nearly every text has and that tell nothing about it: 니다, 에서, the, of …
bool is_stop_term(std::string_view term);

}  // namespace jikji::text
