#include "text/endings.hpp"

#include <array>

namespace jikji::text {
namespace {

constexpr std::array<std::string_view, 116> kEndings = {
    // copula and verbs, as statements
    "이었습니다", "였습니다", "하였습니다", "했습니다", "됐습니다", "되었습니다", "었습니다",
    "았습니다", "입니다", "합니다", "됩니다", "습니다", "니다", "이에요", "예요", "이다", "하다",
    "한다", "된다", "했다", "됐다", "되었다", "하였다", "이었다", "였다", "었다", "았다", "해요",
    "돼요", "어요", "아요",
    // as questions and requests
    "인가요", "은가요", "는가요", "하나요", "되나요", "있나요", "나요", "가요", "까요", "인가",
    "은가", "는가", "하는가", "한가", "할까", "일까", "입니까", "합니까", "됩니까", "습니까",
    "니까", "하죠", "죠", "지요", "해줘", "해주세요", "하세요", "세요", "하려면", "려면", "하면",
    "으면",
    // connected
    "하고", "이고", "이며", "하며", "하는", "되는", "하여", "해서", "해야", "하지", "하기", "되어",
    "된", "한", "할", "될",
    // particles
    "에서는", "에서의", "에서", "으로는", "으로", "까지는", "까지", "부터는", "부터", "에게는",
    "에게", "에는", "에도", "이라고", "이라는", "라고", "라는", "이란", "이나", "보다", "처럼",
    "마다", "은", "는", "이", "가", "을", "를", "의", "에", "로", "와", "과", "도", "만", "란",
    "께"};

}  // namespace

std::size_t ending_bytes(std::string_view word) {
    std::size_t longest = 0;
    for (const std::string_view ending : kEndings) {
        const bool fits = ending.size() > longest && word.size() > ending.size();
        if (fits && word.ends_with(ending)) longest = ending.size();
    }
    return longest;
}

}  // namespace jikji::text
