#include "knowledge/reader.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "knowledge/document_builder.hpp"
#include "knowledge/reader_formats.hpp"
#include "support/temp_folder.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

namespace fs = std::filesystem;

fs::path data(const char* name) { return fs::path(JIKJI_SOURCE_DIR) / "tests/data" / name; }
fs::path example(const char* name) { return fs::path(JIKJI_SOURCE_DIR) / "examples" / name; }

Document read(const fs::path& file) { return read_document(file, file.filename().string()); }

/// The section that a place in the text belongs to.
const Section& section_at(const Document& document, std::string_view words) {
    const std::size_t at = document.text.find(words);
    REQUIRE(at != std::string::npos);
    const Section* found = &document.sections.front();
    for (const Section& section : document.sections) {
        if (section.begin <= static_cast<std::int64_t>(at)) found = &section;
    }
    return *found;
}

struct RejectCase {
    const char* name;
    std::string filename;
    std::string bytes;
    const char* english;  // a part of the message
    const char* korean;
};

const RejectCase kRejects[] = {
    {"unknown type", "표.xlsx", "PK\x03\x04", ".xlsx", "읽을 수 있는 형식"},
    {"no extension", "README", "words", "no extension", "확장자가 없습니다"},
    {"empty", "a.txt", "", "empty", "빈 파일"},
    {"blank", "a.md", " \n\n", "no text", "글이 없습니다"},
    {"binary", "a.txt", std::string("\x00\x01\x02\xff", 4), "binary", "이진 데이터"},
    {"PDF as text", "a.txt", "%PDF-1.4\n", "ends in .pdf", ".pdf로"},
    {"zip as Markdown", "a.md", "PK\x03\x04zip", "zip archive", "zip 압축"},
    {"text as PDF", "a.pdf", "hello", "not a PDF", "PDF가 아닌"},
    {"cut PDF", "a.pdf", "%PDF-1.4\n1 0 obj\n<< /Type", "damaged", "손상"},
};

}  // namespace

TEST_SUITE_BEGIN("reader");

TEST_CASE("what cannot be read is rejected in two languages") {
    const tests::TempFolder folder;
    for (const RejectCase& c : kRejects) {
        CAPTURE(std::string(c.name));
        const fs::path file = folder / "file";
        write_file_durably(file, c.bytes);
        try {
            read_document(file, c.filename);
            FAIL("was read");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kRejected);
            CHECK(std::string(error.what()).find(c.english) != std::string::npos);
            CHECK(error.korean().find(c.korean) != std::string::npos);
            CHECK(error.korean().starts_with(c.filename));
        }
    }
}

TEST_CASE("a PDF without text or with a password says so") {
    CHECK_THROWS_WITH_AS(read(data("no-text.pdf")), doctest::Contains("scanned"), Error);
    CHECK_THROWS_WITH_AS(read(data("encrypted.pdf")), doctest::Contains("encrypted"), Error);
}

TEST_CASE("a PDF with a Korean character map and no font needs poppler-data") {
    CHECK(read(data("문자표-KSCms-UHC-H.pdf")).text.find("보안정책") != std::string::npos);
}

TEST_CASE("a PDF gives pages and joins wrapped lines") {
    const Document document = read(example("출장-지침.pdf"));
    CHECK(section_at(document, "국내 출장의 일비").page == 1);
    CHECK(section_at(document, "항공권은 재무팀이").page == 2);
    CHECK(section_at(document, "영수증을 재무팀에").heading == "3. 정산");
    CHECK(document.text.find("숙박비는 서울이 하룻밤 12만 원") != std::string::npos);
}

TEST_CASE("reading a PDF can be stopped") {
    try {
        read_document(example("출장-지침.pdf"), "출장-지침.pdf", [] { return false; });
        FAIL("was not stopped");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
}

TEST_CASE("Korean charsets") {
    CHECK(read(data("옛-문서-cp949.txt")).text ==
          "보안정책 문서\n\n비밀번호는 석 달마다 바꾼다. 똠방각하도 바꾼다.");
    CHECK(read(data("euc-kr.html")).text == "알림\n\n내일은 쉽니다.");
    CHECK(read(data("utf-16le.txt")).text == "회의는 월요일 10시에 한다.\n장소는 3층이다.");
}

TEST_CASE("a guessed charset is noted") {
    CHECK(read_text("caf\xE9 au lait").note.find("ISO-8859-1") != std::string::npos);
    CHECK(read_text("보안").note.empty());
}

TEST_CASE("numbered lines of plain text are headings or lists") {
    struct Case {
        const char* name;
        const char* source;
        const char* heading;  // of the last section
    };
    const Case cases[] = {
        {"number", "1. 휴가\n휴가는 17일이다.", "1. 휴가"},
        {"below", "1. 휴가\n이렇다.\n\n1.2 병가\n병가는 30일이다.", "1. 휴가 > 1.2 병가"},
        {"article", "제1장 총칙\n이렇다.\n\n제2조 (정의)\n휴가란 쉬는 것이다.",
         "제1장 총칙 > 제2조 (정의)"},
        {"list", "1. 신청서\n2. 진단서", ""},
        {"sentence", "1. 휴가는 17일이다.\n병가는 30일이다.", ""},
        {"quantity", "17 days of leave\nare given", ""},
        {"alone", "1. 신청서", ""},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.name));
        CHECK(read_text(c.source).sections.back().heading == c.heading);
    }
}

TEST_CASE("Markdown gives heading paths and plain text") {
    const Document document = read(example("휴가-규정.md"));
    CHECK(section_at(document, "3일 전까지 팀장").heading ==
          "한빛나루 연구소 휴가 규정 > 연차휴가");
    CHECK(document.text.find("본인 결혼 | 7일 | 50만 원\n") != std::string::npos);
    CHECK(document.text.find('#') == std::string::npos);
}

TEST_CASE("Markdown constructs") {
    struct Case {
        const char* name;
        const char* source;
        const char* want;
    };
    const Case cases[] = {
        {"emphasis and links", "**굵게** _기울여_ [링크](http://a.b)", "굵게 기울여 링크"},
        {"soft breaks", "한 줄\n두 줄", "한 줄 두 줄"},
        {"lists", "- 하나\n- 둘\n  - 셋\n", "- 하나\n- 둘\n- 셋"},
        {"code", "```sh\ncat a\ncat b\n```", "cat a\ncat b"},
        {"entities", "a &amp; b &lt;c&gt;", "a & b <c>"},
        {"HTML", "<div>\n글 <b>굵게</b>\n</div>\n<!-- 숨김 -->", "글 굵게"},
        {"front matter", "---\ntitle: x\n---\n본문", "본문"},
        {"decomposed Hangul", "\u1112\u1161\u11AB", "한"},
        {"invisible characters", "a\u200Bb\u202Ec\x01", "abc"},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.name));
        CHECK(read_markdown(c.source).text == c.want);
    }
}

TEST_CASE("HTML without what nobody sees") {
    const Document document = read(example("사무실-안내.html"));
    CHECK(section_at(document, "재료 연구실").heading == "한빛나루 연구소 사무실 안내 > 층별 안내");
    CHECK(document.text.find("3층 | 재료 연구실 | 4300\n") != std::string::npos);
    CHECK(document.text.find("- 채식 식단은") != std::string::npos);
    for (const char* hidden : {"console.log", "찾아오는 길", "border-collapse"}) {
        CHECK(document.text.find(hidden) == std::string::npos);
    }
}

TEST_CASE("HTML constructs") {
    struct Case {
        const char* name;
        const char* source;
        const char* want;
    };
    const Case cases[] = {
        {"blocks", "<p>a<p>b <i>c</i><div>d</div>e", "a\n\nb c\n\nd\n\ne"},
        {"breaks and blanks", "<p>a  \n b<br>c", "a b\nc"},
        {"pre", "<pre>a\n  b</pre>", "a\n  b"},
        {"hidden", "<p hidden>a</p><p style='display: none'>b</p>c", "c"},
        {"entities", "&lt;&eacute;&nbsp;&#xD55C;&gt;", "<é 한>"},
        {"list of blocks", "<ul><li><p>a</p></li><li><div>b</div></li></ul>", "- a\n- b"},
        {"broken", "<p>a<b>b</p></div>c", "ab\n\nc"},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.name));
        CHECK(read_html(c.source).text == c.want);
    }
}

TEST_CASE("HTML that is made to hurt is refused") {
    std::string deep, wide = "<p";
    for (int i = 0; i < 100000; ++i) deep += "<div>";
    for (int i = 0; i < 100000; ++i) wide += " a" + std::to_string(i) + "=1";
    CHECK_THROWS_WITH_AS(read_html(deep + "x"), doctest::Contains("deeper"), Error);
    CHECK_THROWS_WITH_AS(read_html(wide + ">x"), doctest::Contains("longer tags"), Error);
}

TEST_CASE("any bytes are read or refused, never more") {
    unsigned state = 7;
    const std::string alphabet = "<>/=\"' \n#-|*`[]&;abp한\xFF\x80";
    for (int round = 0; round < 300; ++round) {
        std::string bytes;
        for (int i = 0; i < 200; ++i) {
            state = state * 1103515245u + 12345u;
            bytes += alphabet[(state >> 16) % alphabet.size()];
        }
        for (const auto& reader : {read_text, read_markdown, read_html}) {
            try {
                const Document document = reader(bytes);
                CHECK(text::valid_utf8(document.text));
            } catch (const Error& error) {
                CHECK(error.code() == ErrorCode::kRejected);
            }
        }
    }
}

TEST_CASE("readable names") {
    CHECK(is_readable("문서.PDF"));
    CHECK(is_readable("a.b/c.md"));
    CHECK_FALSE(is_readable("a.md/c"));
    CHECK_FALSE(is_readable("txt"));
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
