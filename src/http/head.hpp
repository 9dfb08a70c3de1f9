#pragma once
// Private to http: a request's head as bytes, and what RFC 9112 and we ask of it. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/call.hpp"

namespace jikji::http {

/// Finds the end of a head as bytes arrive. What a lenient reader would pass and another reader
/// could read differently is refused here: bare CR or LF, folded lines, NUL.
class HeadScanner {
public:
    /// The head's length with its empty line, or nothing yet. `bytes` is all that came so far, each
    /// time longer. Throws Problem(400), or Problem(431) for more than kLines lines.
    std::optional<std::size_t> scan(std::string_view bytes);
    static constexpr int kLines = 128;

private:
    std::size_t next_ = 0;
    std::size_t line_start_ = 0;
    int lines_ = 0;
};

struct Head {
    std::string method;
    std::string target;  // as it came
    std::string path;    // raw
    std::string query;   // raw
    int version = 11;
    Pairs headers;  // names in lower case
    bool keep_alive = true;
    bool expects_continue = false;
    bool chunked = false;
    std::optional<std::uint64_t> content_length;

    bool has_body() const { return chunked || content_length.value_or(0) > 0; }
    std::string header(std::string_view name) const { return headers.find(name).value_or(""); }
};

/// Checks and completes a head of which method, target, version, headers and content_length are
/// set. Throws Problem.
void finish_head(Head& head);

/// The decoded query. Throws Problem(400) for broken escapes.
Pairs parse_query(std::string_view query);

}  // namespace jikji::http
