#include "service/answer.hpp"

#include <doctest/doctest.h>

#include "service/answer_text.hpp"
#include "text/normalise.hpp"

namespace jikji::service {
namespace {

knowledge::Passage passage(const std::string& text, double keywords = 0.5) {
    knowledge::Passage p;
    p.filename = "규정.md";
    p.text = text;
    p.place.begin = 100;
    p.place.end = 100 + static_cast<std::int64_t>(text.size());
    p.keywords = keywords;
    return p;
}

AnswerStart found(const std::string& question, std::vector<knowledge::Passage> passages) {
    AnswerStart start;
    start.found = true;
    start.question = question;
    start.citations = knowledge::cite(question, passages);
    start.passages = std::move(passages);
    return start;
}

}  // namespace

TEST_SUITE_BEGIN("answer");

TEST_CASE("S8's prompt, byte for byte") {
    CHECK(Answers::prompt_text("휴가는?", {passage("첫째."), passage("둘째.")}) ==
          "다음 참고 문서를 바탕으로 질문에 답해주세요.\n\n"
          "참고 문서 1: 첫째.\n\n"
          "참고 문서 2: 둘째.\n\n"
          "질문: 휴가는?\n\n"
          "답변:");
}

TEST_CASE("nothing found is said in the question's language") {
    AnswerStart start;
    start.language = Language::kKorean;
    CHECK(finish_answer(start, "").text == "제공된 문서에서 답을 찾지 못했습니다. 모릅니다.");
    start.language = Language::kEnglish;
    const AnswerEnd end = finish_answer(start, "whatever");
    CHECK(end.text == "I don't know: the answer is not in the documents.");
    CHECK_FALSE(end.grounded);
    CHECK(end.citations.empty());
}

TEST_CASE("a grounded answer stands as the model gave it, stripped") {
    const auto start = found("연차휴가는 며칠인가요?", {passage("직원은 연차휴가 17일을 쓴다.")});
    const AnswerEnd end = finish_answer(start, "  17일입니다.\n");
    CHECK(end.text == "17일입니다.");
    CHECK(end.grounded);
    CHECK_FALSE(end.quoted);
    CHECK(end.citations.size() == 1);
}

TEST_CASE("an answer that is not the documents' is replaced by what they say") {
    const auto start = found("연차휴가는 며칠인가요?",
                             {passage("점심은 열두 시다. 직원은 연차휴가 17일을 쓴다.", 0.6),
                              passage("연구소는 다섯 층이다.", 0.1)});
    for (const char* words : {"연차휴가는 20일입니다.", "", "The sea is blue in summer."}) {
        CAPTURE(std::string(words));
        const AnswerEnd end = finish_answer(start, words);
        CHECK(end.text == "직원은 연차휴가 17일을 쓴다.");
        CHECK(end.quoted);
        CHECK(end.grounded);
        CHECK(end.citations.size() == 2);
    }
}

TEST_CASE("long passages are cut to fit, round the quote, at whole characters") {
    std::string long_text;
    for (int i = 0; i < 100; ++i) long_text += "다른 이야기가 길게 이어진다. ";
    const std::string answer = "연차휴가는 17일이다.";
    auto start =
        found("연차휴가", {passage(long_text + answer + " " + long_text), passage("짧다.")});
    const std::string whole = start.passages[0].text;
    fit_passages(start.passages, start.citations, 500);
    const knowledge::Passage& cut = start.passages[0];
    CHECK(cut.text.size() + start.passages[1].text.size() <= 500);
    CHECK(cut.text.size() > 400);
    CHECK(cut.text.starts_with(answer));
    CHECK(text::valid_utf8(cut.text));
    CHECK(whole.substr(static_cast<std::size_t>(cut.place.begin - 100), cut.text.size()) ==
          cut.text);
    CHECK(cut.place.end - cut.place.begin == static_cast<std::int64_t>(cut.text.size()));
    CHECK(start.passages[1].text == "짧다.");
}

TEST_CASE("passages that fit stay whole") {
    auto start = found("q", {passage("하나"), passage("둘")});
    fit_passages(start.passages, start.citations, 9);
    CHECK(start.passages[0].text == "하나");
    CHECK(start.passages[1].text == "둘");
}

TEST_SUITE_END();

}  // namespace jikji::service
