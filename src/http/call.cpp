#include "http/call.hpp"

#include <utility>

#include "base/error.hpp"
#include "http/utf8.hpp"

namespace jikji::http {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool has_control(std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) return true;
    }
    return false;
}

}  // namespace

std::optional<std::string> Pairs::find(std::string_view name) const {
    for (const auto& [key, value] : items_) {
        if (key == name) return value;
    }
    return std::nullopt;
}

std::vector<std::string> Pairs::all(std::string_view name) const {
    std::vector<std::string> out;
    const std::string bracketed = std::string(name) + "[]";
    for (const auto& [key, value] : items_) {
        if (key == name || key == bracketed) out.push_back(value);
    }
    return out;
}

std::vector<std::pair<std::string, std::string>> Pairs::map(std::string_view name) const {
    std::vector<std::pair<std::string, std::string>> out;
    const std::string prefix = std::string(name) + "[";
    for (const auto& [key, value] : items_) {
        if (!key.starts_with(prefix) || !key.ends_with(']')) continue;
        std::string inner = key.substr(prefix.size(), key.size() - prefix.size() - 1);
        if (!inner.empty()) out.emplace_back(std::move(inner), value);
    }
    return out;
}

UploadedFile::UploadedFile(UploadedFile&& other) noexcept { *this = std::move(other); }

UploadedFile& UploadedFile::operator=(UploadedFile&& other) noexcept {
    std::swap(field, other.field);
    std::swap(filename, other.filename);
    std::swap(content_type, other.content_type);
    std::swap(path, other.path);
    std::swap(bytes, other.bytes);
    return *this;
}

UploadedFile::~UploadedFile() {
    std::error_code ignored;  // it is gone already when the handler moved it
    if (!path.empty()) std::filesystem::remove(path, ignored);
}

const UploadedFile* Form::file(std::string_view field) const {
    for (const UploadedFile& file : files) {
        if (file.field == field) return &file;
    }
    return nullptr;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+' && plus_is_space) {
            out += ' ';
        } else if (text[i] != '%') {
            out += text[i];
        } else {
            const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0) return std::nullopt;
            out += static_cast<char>(high * 16 + low);
            i += 2;
        }
    }
    if (has_control(out) || !is_utf8(out)) return std::nullopt;
    return out;
}

std::string percent_encoded(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    static constexpr std::string_view kPlain = "-._~";
    std::string out;
    for (const char c : text) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || (c >= '0' && c <= '9') || kPlain.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '%';
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string Call::parameter(std::string_view name) const {
    std::optional<std::string> value = parameters.find(name);
    JIKJI_CHECK(value.has_value());
    return *std::move(value);
}

std::string Call::header(std::string_view name) const { return headers.find(name).value_or(""); }

}  // namespace jikji::http
