#pragma once
// Private to http: the parts of header values.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jikji::http {

/// value; name=token; name="quoted" (RFC 9110, 5.6.6). Names in lower case.
struct HeaderValue {
    std::string value;
    std::vector<std::pair<std::string, std::string>> parameters;
    std::optional<std::string> parameter(std::string_view name) const;
};

/// What cannot be read ends the list of parameters.
HeaderValue parse_header_value(std::string_view text);

std::string_view trimmed(std::string_view text);  // without spaces and tabs around it
std::string lower(std::string_view text);         // ASCII
bool equal_ignoring_case(std::string_view a, std::string_view b);  // ASCII

/// Whether a comma-separated list has that token, whatever its case and ";q=".
bool has_token(std::string_view list, std::string_view token);

}  // namespace jikji::http
