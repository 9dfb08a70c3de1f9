#include "text/endings.hpp"

#include <doctest/doctest.h>

#include <string>

namespace jikji::text {

TEST_SUITE_BEGIN("endings");

TEST_CASE("words without their endings") {
    struct Case {
        const char* word;
        const char* stem;
    };
    const Case cases[] = {
        {"휴가는", "휴가"},     {"신청하나요", "신청"},
        {"며칠인가요", "며칠"}, {"서버에서는", "서버"},
        {"17일입니다", "17일"}, {"정책", "정책"},
        {"는", "는"},           {"", ""},
        {"laptop", "laptop"},
    };
    for (const Case& c : cases) {
        const std::string word = c.word;
        CAPTURE(word);
        CHECK(word.substr(0, word.size() - ending_bytes(word)) == c.stem);
    }
}

TEST_SUITE_END();

}  // namespace jikji::text
