#include "text/charset.hpp"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "base/error.hpp"
#include "text/language.hpp"
#include "text/normalise.hpp"

namespace jikji::text {
namespace {

constexpr double kControlShareMax = 0.001;  // a stray form feed or bell is still text
constexpr double kBrokenShareMax = 0.02;    // of UTF-8 that was cut or damaged somewhere
constexpr double kHangulShareMin = 0.5;     // of CP949's two-byte characters

class Iconv {
public:
    explicit Iconv(const char* from) : handle_(iconv_open("UTF-8", from)) {
        if (handle_ == reinterpret_cast<iconv_t>(-1)) {
            throw Error(ErrorCode::kInternal, std::string("this system's iconv has no ") + from +
                                                  "; install glibc's gconv modules");
        }
    }
    ~Iconv() { iconv_close(handle_); }
    Iconv(const Iconv&) = delete;
    Iconv& operator=(const Iconv&) = delete;

    /// Nothing if a byte sequence is not allowed.
    std::optional<std::string> convert(std::string_view bytes) {
        std::string out(bytes.size() * 3 + 16, '\0');  // CP949, UTF-16: never more than 3 : 1
        char* from = const_cast<char*>(bytes.data());  // iconv's signature; it does not write there
        std::size_t from_left = bytes.size();
        char* to = out.data();
        std::size_t to_left = out.size();
        if (iconv(handle_, &from, &from_left, &to, &to_left) == static_cast<std::size_t>(-1)) {
            return std::nullopt;
        }
        out.resize(out.size() - to_left);
        return out;
    }

private:
    iconv_t handle_;
};

bool is_control(unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f') || c == 0x7F;
}

bool has_controls(std::string_view text) {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return is_control(static_cast<unsigned char>(c)); });
}

bool looks_like_text(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return false;
    const auto controls = std::count_if(
        text.begin(), text.end(), [](char c) { return is_control(static_cast<unsigned char>(c)); });
    return static_cast<double>(controls) <= kControlShareMax * static_cast<double>(text.size()) + 1;
}

std::optional<Decoded> decode(std::string_view bytes, const char* charset, bool guessed = false) {
    auto text = Iconv(charset).convert(bytes);
    if (!text || !looks_like_text(*text)) return std::nullopt;
    return Decoded{std::move(*text), charset, guessed};
}

std::optional<Decoded> by_mark(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF")) {
        return Decoded{to_valid_utf8(bytes.substr(3)), "UTF-8", false};
    }
    if (bytes.starts_with("\xFF\xFE")) return decode(bytes.substr(2), "UTF-16LE");
    if (bytes.starts_with("\xFE\xFF")) return decode(bytes.substr(2), "UTF-16BE");
    return std::nullopt;
}

/// ASCII characters, line breaks among them, leave NULs on one side of each pair only.
std::optional<Decoded> by_nul_pattern(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.size() % 2 != 0) return std::nullopt;
    std::array<std::size_t, 2> nuls{};
    for (std::size_t i = 0; i < bytes.size(); ++i) nuls[i % 2] += bytes[i] == '\0';
    if ((nuls[0] == 0) == (nuls[1] == 0)) return std::nullopt;
    auto decoded = decode(bytes, nuls[0] == 0 ? "UTF-16LE" : "UTF-16BE");
    // The pattern alone proves little in a short file: no control byte may be left.
    if (decoded && has_controls(decoded->text)) return std::nullopt;
    return decoded;
}

/// Accents of Latin-1 before a letter also decode, into rare syllables of CP949's extension; real
/// Korean is mostly made of KS X 1001's, whose both bytes are above 0xA0.
bool has_common_pairs(std::string_view bytes) {
    std::size_t pairs = 0, common = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
        if (static_cast<unsigned char>(bytes[i]) < 0x80) continue;
        ++pairs;
        common += static_cast<unsigned char>(bytes[i]) > 0xA0 &&
                  static_cast<unsigned char>(bytes[i + 1]) > 0xA0;
        ++i;
    }
    return pairs > 0 && common * 2 >= pairs;
}

std::optional<Decoded> by_hangul(std::string_view bytes) {
    if (!has_common_pairs(bytes)) return std::nullopt;
    auto decoded = decode(bytes, "CP949");
    if (!decoded) return std::nullopt;
    std::string beyond_ascii;
    for (const char c : decoded->text) {
        if (static_cast<unsigned char>(c) >= 0x80) beyond_ascii += c;
    }
    if (hangul_share(beyond_ascii) < kHangulShareMin) return std::nullopt;
    return decoded;
}

std::optional<Decoded> damaged_utf8(std::string_view bytes) {
    std::size_t broken = 0, beyond_ascii = 0;
    for (std::size_t at = 0; at < bytes.size();) {
        const CodePoint point = code_point_at(bytes, at);
        beyond_ascii += point.value >= 0x80;
        broken += point.value == 0xFFFD && point.bytes == 1;
        at += point.bytes;
    }
    const double allowed = kBrokenShareMax * static_cast<double>(beyond_ascii);
    if (beyond_ascii < 3 * broken || static_cast<double>(broken) > allowed + 3) return std::nullopt;
    return Decoded{to_valid_utf8(bytes), "UTF-8", true};
}

std::string_view known_charset(std::string_view declared) {
    std::string name;
    for (const char c : declared) {
        name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    constexpr std::array<std::string_view, 9> kKorean = {
        "euc-kr",      "euckr", "ks_c_5601-1987", "ksc5601", "ks_c_5601", "cp949",
        "windows-949", "uhc",   "ms949"};
    if (std::find(kKorean.begin(), kKorean.end(), name) != kKorean.end()) return "CP949";
    if (name == "iso-8859-1" || name == "windows-1252" || name == "latin1") return "CP1252";
    return {};
}

}  // namespace

std::optional<Decoded> to_utf8(std::string_view bytes, std::string_view declared) {
    if (auto marked = by_mark(bytes)) return marked;
    const bool has_nul = bytes.find('\0') != std::string_view::npos;
    if (has_nul) return by_nul_pattern(bytes);
    if (valid_utf8(bytes)) {
        if (!looks_like_text(bytes)) return std::nullopt;
        return Decoded{std::string(bytes), "UTF-8", false};
    }
    if (!looks_like_text(bytes)) return std::nullopt;
    if (const std::string_view charset = known_charset(declared); !charset.empty()) {
        if (auto decoded = decode(bytes, charset.data())) return decoded;
    }
    if (auto korean = by_hangul(bytes)) return korean;
    if (auto damaged = damaged_utf8(bytes)) return damaged;
    return decode(bytes, "ISO-8859-1", true);
}

}  // namespace jikji::text
