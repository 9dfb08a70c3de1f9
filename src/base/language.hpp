#pragma once
// Every message that people read exists in Korean and English. Logs and API codes stay English.
#include <string>
#include <string_view>

namespace jikji {

enum class Language { kEnglish, kKorean };

/// From LC_ALL, LC_MESSAGES, LANG (the first that is set): "ko…" is Korean, all else English.
Language language_of_environment();

/// From an Accept-Language header (RFC 9110, 12.5.4): Korean if `ko` is preferred to `en`.
Language language_of_header(std::string_view accept_language);

/// Picks one of the two.
inline std::string_view say(Language language, std::string_view english, std::string_view korean) {
    return language == Language::kKorean ? korean : english;
}

}  // namespace jikji
