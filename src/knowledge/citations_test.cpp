#include "knowledge/citations.hpp"

#include <doctest/doctest.h>

#include "knowledge/grounding.hpp"

namespace jikji::knowledge {
namespace {

Passage passage(const std::string& text, std::int64_t begin = 0, const std::string& heading = {}) {
    Passage p;
    p.file_id = "file-1";
    p.filename = "규정.md";
    p.text = text;
    p.place = {2, heading, begin, begin + static_cast<std::int64_t>(text.size())};
    p.score = 0.5;
    return p;
}

struct CiteCase {
    const char* name;
    const char* question;
    const char* text;
    const char* heading;
    const char* want;
};

const CiteCase kCases[] = {
    {"the sentence that answers", "연차휴가는 며칠인가요?",
     "병가는 30일이다. 연차휴가는 17일이다. 출장은 다르다.", "", "연차휴가는 17일이다."},
    {"particles do not matter", "팀장에게 무엇을 신청하나요?",
     "식당은 1층이다. 휴가를 팀장의 책상에서 신청한다.", "", "휴가를 팀장의 책상에서 신청한다."},
    {"English", "When is a stolen laptop reported?",
     "Laptops are lent. A stolen laptop must be reported within two hours. Desks are not.", "",
     "A stolen laptop must be reported within two hours."},
    {"not the heading", "병가", "병가\n\n아플 때 쓴다. 병가는 30일이다.", "규정 > 병가",
     "병가는 30일이다."},
    {"a row of a table", "재료 연구실 번호는?", "층 | 부서\n3층 | 재료 연구실 | 4300\n4층 | 인사팀",
     "", "3층 | 재료 연구실 | 4300"},
    {"two sentences that share the question", "여행자 보험의 치료비 한도는?",
     "점심이다. 다치면 여행자 보험이 있다. 치료비 한도는 5천만 원이다. 끝이다.", "",
     "다치면 여행자 보험이 있다. 치료비 한도는 5천만 원이다."},
    {"ties go to the first", "휴가", "휴가는 길다. 휴가는 짧다.", "", "휴가는 길다."},
    {"nothing shared", "xyz", "하나다. 둘이다.", "", "하나다."},
    {"only a heading", "xyz", "병가", "병가", "병가"},
};

}  // namespace

TEST_SUITE_BEGIN("citations");

TEST_CASE("the best sentence is quoted, letter for letter") {
    for (const CiteCase& c : kCases) {
        CAPTURE(std::string(c.name));
        const Passage p = passage(c.text, 100, c.heading);
        const auto citations = cite(c.question, {p});
        REQUIRE(citations.size() == 1);
        const Citation& citation = citations[0];
        CHECK(citation.quote == c.want);
        CHECK(p.text.substr(static_cast<std::size_t>(citation.place.begin - 100),
                            citation.quote.size()) == citation.quote);
        CHECK(citation.place.end - citation.place.begin ==
              static_cast<std::int64_t>(citation.quote.size()));
    }
}

TEST_CASE("one citation per passage, numbered as the prompt numbers them") {
    const auto citations = cite("휴가", {passage("휴가다."), passage(""), passage("출장이다.")});
    REQUIRE(citations.size() == 3);
    for (int i = 0; i < 3; ++i) CHECK(citations[static_cast<std::size_t>(i)].index == i + 1);
    CHECK(citations[1].quote.empty());
    CHECK(citations[2].place.page == 2);
    CHECK(citations[2].filename == "규정.md");
    CHECK(citations[2].score == 0.5);
}

TEST_CASE("groundedness") {
    struct Case {
        const char* name;
        const char* question;
        const char* answer;
        bool grounded;
    };
    const std::vector<Passage> passages = {
        passage(
            "한빛나루 연구소의 직원은 1년에 연차휴가 17일을 쓴다. 3년을 넘게 일한 직원은 하루씩 "
            "더 받으며 25일을 넘지 않는다."),
        passage("A lost or stolen laptop must be reported to the security desk within two hours.")};
    const Case cases[] = {
        {"the document's words", "연차휴가는 며칠인가요?", "연차휴가는 1년에 17일입니다.", true},
        {"other endings", "휴가는?", "직원은 17일을 쓸 수 있습니다.", true},
        {"a wrong number", "연차휴가는 며칠인가요?", "연차휴가는 1년에 20일입니다.", false},
        {"only a wrong number", "연차휴가는 며칠인가요?", "20일", false},
        {"only the number", "연차휴가는 며칠인가요?", "17일", true},
        {"made up", "연차휴가는 며칠인가요?", "여름에는 바다로 떠나는 것이 좋겠습니다.", false},
        {"English", "How soon?", "It must be reported within two hours.", true},
        {"English, made up", "How soon?", "You should call the police tomorrow morning.", false},
        {"list numbers are no facts", "How soon?", "1. reported\n2. within two hours", true},
        {"echo of the question", "연차휴가는 며칠인가요?", "연차휴가는 며칠인가요?", false},
        {"words from all over", "휴가는?", "직원은 laptop 25일을 reported 쓴다 desk.", false},
        {"empty", "휴가는?", "", false},
        {"broken bytes", "휴가는?", "\xFF\xFE", false},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.name));
        const double share = groundedness(c.question, c.answer, passages);
        CAPTURE(share);
        CHECK((share >= kGroundedShare) == c.grounded);
        CHECK(share >= 0);
        CHECK(share <= 1);
    }
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
