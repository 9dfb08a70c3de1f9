#pragma once
// Bytes of unknown origin to UTF-8. Threads: any.
#include <optional>
#include <string>
#include <string_view>

namespace jikji::text {

struct Decoded {
    std::string text;      // valid UTF-8, without byte order mark
    std::string charset;   // UTF-8, UTF-16LE, UTF-16BE, CP949, ISO-8859-1
    bool guessed = false;  // nothing proves the charset: say so to the user
};

/// Byte order mark, then `declared` if it is given and fits, strict UTF-8, UTF-16 by its NUL
/// pattern, CP949 if most of it is Hangul, Latin-1 as a guess. `declared` euc-kr, ks_c_5601-1987
/// and ksc5601 mean CP949. Nothing if the bytes are no text (control bytes, a binary format).
std::optional<Decoded> to_utf8(std::string_view bytes, std::string_view declared = {});

}  // namespace jikji::text
