#include "http/header_value.hpp"

#include <algorithm>

namespace jikji::http {
namespace {

/// The quoted string that begins at text[0] == '"', unescaped; text moves behind it. An escape is a
/// backslash before a quote or a backslash: older browsers send paths with single backslashes.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string out;
    for (std::size_t i = 1; i < text.size(); ++i) {
        if (text[i] == '"') {
            text.remove_prefix(i + 1);
            return out;
        }
        const bool escape =
            text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
        if (escape) ++i;
        out += text[i];
    }
    return std::nullopt;
}

std::string take_token(std::string_view& text) {
    const std::size_t end = std::min(text.find(';'), text.size());
    std::string out(trimmed(text.substr(0, end)));
    text.remove_prefix(end);
    return out;
}

}  // namespace

std::optional<std::string> HeaderValue::parameter(std::string_view name) const {
    for (const auto& [key, value] : parameters) {
        if (key == name) return value;
    }
    return std::nullopt;
}

HeaderValue parse_header_value(std::string_view text) {
    HeaderValue out;
    out.value = take_token(text);
    while (text.starts_with(';')) {
        text = trimmed(text.substr(1));
        const std::size_t equals = text.find_first_of("=;");
        if (equals == std::string_view::npos) break;
        if (text[equals] == ';') {
            text.remove_prefix(equals);
            continue;
        }
        std::string name = lower(trimmed(text.substr(0, equals)));
        text = trimmed(text.substr(equals + 1));
        if (!text.starts_with('"')) {
            out.parameters.emplace_back(std::move(name), take_token(text));
            continue;
        }
        std::optional<std::string> value = take_quoted(text);
        if (!value) break;
        out.parameters.emplace_back(std::move(name), *std::move(value));
        text = trimmed(text);
    }
    return out;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && lower(a) == lower(b);
}

bool has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        const std::size_t end = std::min(list.find(','), list.size());
        const std::string_view item = list.substr(0, end);
        if (equal_ignoring_case(trimmed(item.substr(0, item.find(';'))), token)) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

}  // namespace jikji::http
