#include "text/charset.hpp"

#include <doctest/doctest.h>

#include "text/language.hpp"

namespace jikji::text {
namespace {

using namespace std::string_literals;

struct CharsetCase {
    const char* name;
    std::string bytes;
    const char* declared;
    const char* charset;  // nullptr = no text
    const char* text;
    bool guessed;
};

// CP949 of 보안정책, and of 똠방각하 (똠 is not in KS X 1001).
const std::string kPolicy = "\xBA\xB8\xBE\xC8\xC1\xA4\xC3\xA5";
const std::string kExtended = "\x8C\x63\xB9\xE6\xB0\xA2\xC7\xCF";

const CharsetCase kCases[] = {
    {"empty", "", "", "UTF-8", "", false},
    {"UTF-8", "보안", "", "UTF-8", "보안", false},
    {"mark", "\xEF\xBB\xBFok", "", "UTF-8", "ok", false},
    {"UTF-16LE mark", "\xFF\xFE\x48\xC5"s, "", "UTF-16LE", "안", false},
    {"UTF-16LE bare", "\x48\xC5\x0A\x00"s, "", "UTF-16LE", "안\n", false},
    {"UTF-16BE bare", "\x00o\x00k"s, "", "UTF-16BE", "ok", false},
    {"CP949", kPolicy, "", "CP949", "보안정책", false},
    {"CP949 extended", kExtended, "", "CP949", "똠방각하", false},
    {"declared euc-kr", "\x8C\x63", "EUC-KR", "CP949", "똠", false},
    {"declared wrongly", "보안", "euc-kr", "UTF-8", "보안", false},
    {"Latin-1", "caf\xE9 r\xE9sum\xE9", "", "ISO-8859-1", "café résumé", true},
    {"cut UTF-8", "보안정책을 지킵니\xEB\x8B", "", "UTF-8", "보안정책을 지킵니\uFFFD\uFFFD", true},
    {"binary",
     "\x7F"
     "ELF\x02\x01\x00\x00\x03\x00\x11\x22\x00"s,
     "", nullptr, "", false},
    {"control bytes", "\x01\x02\x03\x04", "", nullptr, "", false},
};

}  // namespace

TEST_SUITE_BEGIN("charset");

TEST_CASE("bytes to UTF-8") {
    for (const CharsetCase& c : kCases) {
        CAPTURE(std::string(c.name));
        const auto got = to_utf8(c.bytes, c.declared);
        REQUIRE(got.has_value() == (c.charset != nullptr));
        if (!got) continue;
        CHECK(got->charset == c.charset);
        CHECK(got->text == c.text);
        CHECK(got->guessed == c.guessed);
    }
}

TEST_CASE("language of a question") {
    CHECK(language_of("휴가는 며칠인가요?") == Language::kKorean);
    CHECK(language_of("VPN API 서버 주소는 무엇인가요") == Language::kKorean);
    CHECK(language_of("How many days of leave?") == Language::kEnglish);
    CHECK(language_of("123 ?") == Language::kEnglish);
}

TEST_SUITE_END();

}  // namespace jikji::text
