#include "knowledge/fusion.hpp"

#include <doctest/doctest.h>

#include "knowledge/question_terms.hpp"

namespace jikji::knowledge {
namespace {

std::vector<std::string> words(const QuestionTerms& question) {
    std::vector<std::string> out;
    for (const QuestionTerm& term : question.terms) out.push_back(term.term);
    return out;
}

double plain(const std::string&) { return 1; }

}  // namespace

TEST_SUITE_BEGIN("fusion");

TEST_CASE("reciprocal ranks are added") {
    const Ranking rankings[] = {{{1, 2, 3}}, {{3, 1}}};
    const auto fused = fuse(rankings);
    REQUIRE(fused.size() == 3);
    CHECK(fused[0].id == 1);
    CHECK(fused[0].score == doctest::Approx((1.0 / 61 + 1.0 / 62) / (2.0 / 61)));
    CHECK(fused[1].id == 3);
    CHECK(fused[2].id == 2);
    CHECK(fused[2].score == doctest::Approx((1.0 / 62) / (2.0 / 61)));
}

TEST_CASE("ties go to the lower id, nothing gives nothing") {
    const Ranking rankings[] = {{{9}}, {{4}}};
    CHECK(fuse(rankings)[0].id == 4);
    CHECK(fuse({}).empty());
}

TEST_CASE("terms of a question") {
    CHECK(words(question_terms("연차휴가는 며칠인가요?")) ==
          std::vector<std::string>{"연차", "차휴", "휴가", "가는", "칠인"});
    CHECK(words(question_terms("How soon must a stolen laptop be reported?")) ==
          std::vector<std::string>{"soon", "stolen", "laptop", "report"});
    CHECK(question_terms("책").terms[0].prefix);
    CHECK(question_terms("는 에서 the").terms.empty());
}

TEST_CASE("phrases: the pairs of one word, and Latin neighbours") {
    const auto question = question_terms("보안정책을 stolen laptop은");
    REQUIRE(question.phrases.size() == 2);
    CHECK(question.phrases[0] == std::vector<std::string>{"보안", "안정", "정책"});
    CHECK(question.phrases[1] == std::vector<std::string>{"stolen", "laptop"});
}

TEST_CASE("a pair that ends in a particle weighs less") {
    const auto question = question_terms("병가는");
    const double with = keyword_share(question, TermSet("병가를 쓴다"), plain);
    CHECK(with > 0.7);
    CHECK(with < 1);
    CHECK(keyword_share(question, TermSet("병가는 쓴다"), plain) == 1);
    CHECK(keyword_share(question, TermSet("출장"), plain) == 0);
    CHECK(keyword_share(question_terms(""), TermSet("출장"), plain) == 0);
    CHECK(keyword_share(question_terms("책"), TermSet("책상"), plain) == 1);
}

TEST_CASE("rare terms weigh more") {
    CHECK(rarity(100, 1) > rarity(100, 50));
    CHECK(rarity(100, 100) >= 0);
    CHECK(rarity(0, 0) >= 0);
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
