#pragma once
// The console's files, compiled into the program: it needs no folder beside it and no network.
//
// Lifetime  everything lives as long as the program.
// Threads   any; nothing changes.
#include <span>
#include <string_view>

namespace jikji::web {

struct Asset {
    std::string_view path;          // as requested: "/", "/console.js", …
    std::string_view content_type;  // with its charset
    std::string_view gzip;          // the body, as `Content-Encoding: gzip`
    std::string_view etag;          // strong, with its quotes; changes when the file does
};

/// Ordered by path. "/" is the page itself.
std::span<const Asset> assets();

/// What must go with every asset as `Content-Security-Policy`. The page works under exactly this:
/// scripts, styles and requests only from here, no inline code, and no HTML made from text except
/// by the sanitiser.
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify";

}  // namespace jikji::web
