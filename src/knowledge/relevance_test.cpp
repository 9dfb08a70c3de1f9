#include <doctest/doctest.h>

#include "knowledge/grounding.hpp"

namespace jikji::knowledge {
namespace {

struct RelevanceCase {
    const char* name;
    const char* question;
    const char* text;
    double similarity, keywords;
    bool want;
};

// Figures as multilingual-e5-small and keyword search gave them for the documents in examples/.
const RelevanceCase kCases[] = {
    {"answered", "연차휴가는 1년에 며칠인가요?", "직원은 1년에 연차휴가 17일을 쓴다.", 0.882, 0.9,
     true},
    {"answered in English", "How soon must a stolen laptop be reported?",
     "A stolen laptop must be reported within two hours.", 0.872, 0.8, true},
    {"the subject is near, the answer is not there", "비밀번호는 얼마나 자주 바꾸나요?",
     "국내 출장의 일비는 하루 3만 원이다.", 0.796, 0.1, false},
    {"about something else", "프랑스의 수도는 어디인가요?", "숙박비는 서울이 12만 원이다.", 0.742,
     0, false},
    {"words alone do not do", "휴가 비행기", "휴가", 0.75, 1, false},
    {"asked in another language", "VPN 인증서는 며칠 뒤에 만료되나요?",
     "A Lantern certificate expires after 90 days.", 0.83, 0.1, true},
    {"another language, another subject", "What is the capital of France?",
     "숙박비는 서울이 12만 원이다.", 0.691, 0, false},
};

}  // namespace

TEST_SUITE_BEGIN("relevance");

TEST_CASE("what is about the question") {
    for (const RelevanceCase& c : kCases) {
        CAPTURE(std::string(c.name));
        Passage passage;
        passage.text = c.text;
        passage.similarity = c.similarity;
        passage.keywords = c.keywords;
        CHECK(is_relevant(c.question, passage, relevance_border("multilingual-e5-small")) ==
              c.want);
    }
}

TEST_CASE("each embedding model has its own scale") {
    Passage passage;
    passage.text = "A stolen laptop must be reported within two hours.";
    passage.similarity = 0.6;
    passage.keywords = 0.6;
    const std::string question = "When is a stolen laptop reported?";
    CHECK(is_relevant(question, passage, relevance_border("all-minilm-l6-v2")));
    CHECK_FALSE(is_relevant(question, passage, relevance_border("multilingual-e5-small")));
    passage.similarity = 0.2;
    CHECK_FALSE(is_relevant(question, passage, relevance_border("all-minilm-l6-v2")));
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
