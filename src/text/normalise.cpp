#include "text/normalise.hpp"

#include <utf8proc.h>

#include <cstdlib>
#include <memory>

#include "base/error.hpp"

namespace jikji::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;

struct Free {
    void operator()(void* memory) const noexcept { std::free(memory); }
};

const utf8proc_uint8_t* bytes_of(std::string_view text) {
    return reinterpret_cast<const utf8proc_uint8_t*>(text.data());
}

std::string map(std::string_view text, int options) {
    const std::string valid = to_valid_utf8(text);
    utf8proc_uint8_t* raw = nullptr;
    const utf8proc_ssize_t size =
        utf8proc_map(bytes_of(valid), static_cast<utf8proc_ssize_t>(valid.size()), &raw,
                     static_cast<utf8proc_option_t>(options));
    const std::unique_ptr<utf8proc_uint8_t, Free> owned(raw);
    if (size < 0) {
        throw Error(ErrorCode::kInternal,
                    std::string("Unicode normalisation failed: ") + utf8proc_errmsg(size));
    }
    return {reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size)};
}

constexpr int kNfkc = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;

bool is_ascii(std::string_view text) {
    for (const char c : text) {
        if (static_cast<unsigned char>(c) >= 0x80) return false;
    }
    return true;
}

bool is_space(char32_t c) {
    if (c == ' ' || (c >= '\t' && c <= '\r') || c == 0xFEFF) return true;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
           category == UTF8PROC_CATEGORY_ZP;
}

}  // namespace

std::string nfkc(std::string_view text) {
    return is_ascii(text) ? std::string(text) : map(text, kNfkc);
}

std::string nfc(std::string_view text) {
    return is_ascii(text) ? std::string(text) : map(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
}

std::string nfd(std::string_view text) {
    return is_ascii(text) ? std::string(text) : map(text, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
}

std::string casefold_nfkc(std::string_view text) { return map(text, kNfkc | UTF8PROC_CASEFOLD); }

CodePoint code_point_at(std::string_view text, std::size_t at) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (first < 0x80) return {first, 1};
    utf8proc_int32_t value = -1;
    const std::string_view rest = text.substr(at);
    const utf8proc_ssize_t used =
        utf8proc_iterate(bytes_of(rest), static_cast<utf8proc_ssize_t>(rest.size()), &value);
    if (used <= 0 || value < 0) return {kReplacement, 1};
    return {static_cast<char32_t>(value), static_cast<std::size_t>(used)};
}

bool valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        if (point.value == kReplacement && point.bytes == 1) return false;
        at += point.bytes;
    }
    return true;
}

std::string to_valid_utf8(std::string_view text) {
    if (valid_utf8(text)) return std::string(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        append_utf8(out, point.value);
        at += point.bytes;
    }
    return out;
}

std::size_t cut_before(std::string_view text, std::size_t bytes) {
    if (bytes >= text.size()) return text.size();
    while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
    return bytes;
}

void append_utf8(std::string& out, char32_t value) {
    utf8proc_uint8_t buffer[4];
    const auto size = utf8proc_encode_char(static_cast<utf8proc_int32_t>(value), buffer);
    if (size == 0) return append_utf8(out, kReplacement);  // a surrogate, or beyond Unicode
    out.append(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(size));
}

std::size_t count_characters(std::string_view text) {
    std::size_t count = 0;
    for (std::size_t at = 0; at < text.size(); ++count) at += code_point_at(text, at).bytes;
    return count;
}

int display_width(std::string_view text) {
    int width = 0;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        width += utf8proc_charwidth(static_cast<utf8proc_int32_t>(point.value));
        at += point.bytes;
    }
    return width;
}

std::string_view strip(std::string_view text) {
    while (!text.empty()) {
        const CodePoint point = code_point_at(text, 0);
        if (!is_space(point.value)) break;
        text.remove_prefix(point.bytes);
    }
    while (!text.empty()) {
        const std::size_t last = cut_before(text, text.size() - 1);
        if (!is_space(code_point_at(text, last).value)) break;
        text = text.substr(0, last);
    }
    return text;
}

}  // namespace jikji::text
