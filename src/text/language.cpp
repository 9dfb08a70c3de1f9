#include "text/language.hpp"

#include <utf8proc.h>

#include "text/normalise.hpp"

namespace jikji::text {
namespace {

constexpr double kKoreanShare = 1.0 / 3;

bool is_hangul(char32_t c) {
    return (c >= 0xAC00 && c <= 0xD7FF) || (c >= 0x1100 && c <= 0x11FF) ||
           (c >= 0x3130 && c <= 0x318F) || (c >= 0xA960 && c <= 0xA97F);
}

}  // namespace

double hangul_share(std::string_view text) {
    std::size_t hangul = 0, letters = 0;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        at += point.bytes;
        const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(point.value));
        if (category < UTF8PROC_CATEGORY_LU || category > UTF8PROC_CATEGORY_LO) continue;
        ++letters;
        hangul += is_hangul(point.value);
    }
    return letters == 0 ? 0 : static_cast<double>(hangul) / static_cast<double>(letters);
}

Language language_of(std::string_view text) {
    return hangul_share(text) >= kKoreanShare ? Language::kKorean : Language::kEnglish;
}

}  // namespace jikji::text
