#include "text/normalise.hpp"

#include <doctest/doctest.h>

namespace jikji::text {

TEST_SUITE_BEGIN("normalise");

TEST_CASE("nfkc and casefold") {
    CHECK(nfkc("ＡＰＩ ﬁ") == "API fi");
    CHECK(nfkc("\u1112\u1161\u11AB") == "한");
    CHECK(casefold_nfkc("ÄPFEL Straße") == "äpfel strasse");
    CHECK(nfc("\u1112\u1161\u11AB ＡＰＩ") == "한 ＡＰＩ");
    CHECK(nfkc("a\xFFz") == "a\uFFFDz");
}

TEST_CASE("valid UTF-8 is strict") {
    for (const char* good : {"", "abc", "한글", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD"}) {
        CAPTURE(std::string(good));
        CHECK(valid_utf8(good));
    }
    for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xEA\xB0", "\x80"}) {
        CHECK_FALSE(valid_utf8(bad));
        CHECK(valid_utf8(to_valid_utf8(bad)));
    }
}

TEST_CASE("cuts keep characters whole") {
    const std::string text = "a한b";
    const std::size_t want[] = {0, 1, 1, 1, 4, 5, 5};
    for (std::size_t bytes = 0; bytes < std::size(want); ++bytes) {
        CAPTURE(bytes);
        CHECK(cut_before(text, bytes) == want[bytes]);
    }
}

TEST_CASE("width, count, strip") {
    CHECK(display_width("ab한글") == 6);
    CHECK(display_width("e\u0301") == 1);
    CHECK(count_characters("a한\xFF") == 3);
    CHECK(strip("\u3000 한 글\n\t") == "한 글");
    CHECK(strip(" \n").empty());
}

TEST_SUITE_END();

}  // namespace jikji::text
