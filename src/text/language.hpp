#pragma once
// Which language a text is in. Threads: any.
#include <string_view>

#include "base/language.hpp"

namespace jikji::text {

/// Hangul's share of the letters in a text, 0..1; 0 if it has no letters.
double hangul_share(std::string_view text);

/// Korean if Hangul makes up a third of the letters (Korean sentences carry Latin names, English
/// ones do not carry Hangul).
Language language_of(std::string_view text);

}  // namespace jikji::text
