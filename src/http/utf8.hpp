#pragma once
// Private to http: whether bytes are UTF-8.
#include <string_view>

namespace jikji::http {

/// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace jikji::http
