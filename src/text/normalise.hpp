#pragma once
// Unicode: normal forms, validity, safe cuts, width on a terminal. Threads: any.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace jikji::text {

/// NFKC: ＡＰＩ -> API, ﬁ -> fi, decomposed Hangul -> syllables. Bytes that are not UTF-8 become
/// U+FFFD.
std::string nfkc(std::string_view text);

/// NFC: decomposed Hangul (as macOS writes it) -> syllables; nothing else changes its look.
std::string nfc(std::string_view text);

/// NFD: Hangul syllables to their letters, é to e and a combining accent.
std::string nfd(std::string_view text);

/// NFKC and case folded: equal for what people take to be the same word.
std::string casefold_nfkc(std::string_view text);

/// Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool valid_utf8(std::string_view text);

/// `text` with each byte that is not UTF-8 replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

/// The largest cut <= `bytes` that does not split a character. Requires: valid UTF-8.
std::size_t cut_before(std::string_view text, std::size_t bytes);

/// The code point at `at`, and its length in bytes; {0xFFFD, 1} where the bytes are not UTF-8.
/// Requires: at < text.size().
struct CodePoint {
    char32_t value;
    std::size_t bytes;
};
CodePoint code_point_at(std::string_view text, std::size_t at);

/// Appends the character in UTF-8.
void append_utf8(std::string& out, char32_t value);

/// Characters (code points).
std::size_t count_characters(std::string_view text);

/// Columns on a terminal: Hangul and CJK take two, combining marks none.
int display_width(std::string_view text);

/// Without white space (Unicode's) at both ends.
std::string_view strip(std::string_view text);

}  // namespace jikji::text
