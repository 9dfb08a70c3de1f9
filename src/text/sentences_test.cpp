#include "text/sentences.hpp"

#include <doctest/doctest.h>

#include <string>

namespace jikji::text {
namespace {

struct SentencesCase {
    const char* name;
    std::string text;
    std::vector<std::string> want;
};

const SentencesCase kCases[] = {
    {"empty", "  \n ", {}},
    {"Korean",
     "휴가는 15일이다. 신청은 3일 전에 해요! 맞나요?",
     {"휴가는 15일이다.", "신청은 3일 전에 해요!", "맞나요?"}},
    {"decimal", "파이는 3.14이다. 끝.", {"파이는 3.14이다.", "끝."}},
    {"decimal before blank", "It is 3.14 or so. Yes.", {"It is 3.14 or so.", "Yes."}},
    {"abbreviations",
     "Use e.g. the U.S. plan. Ask Dr. Kim.",
     {"Use e.g. the U.S. plan.", "Ask Dr. Kim."}},
    {"list number", "1. First point. 2nd.", {"1. First point.", "2nd."}},
    {"year ends", "It began in 1999. Then it grew.", {"It began in 1999.", "Then it grew."}},
    {"number", "See no. 5 here. He said no. Fine.", {"See no. 5 here.", "He said no.", "Fine."}},
    {"line breaks", "제목\n본문이다", {"제목", "본문이다"}},
    {"quotes", "그는 “간다.” 했다. (끝.) 또", {"그는 “간다.”", "했다.", "(끝.)", "또"}},
    {"no end", "끝이 없는 문장", {"끝이 없는 문장"}},
    {"dots", "Well... yes?! ok", {"Well...", "yes?!", "ok"}},
    {"host name", "Open files.example.com now.", {"Open files.example.com now."}},
};

}  // namespace

TEST_SUITE_BEGIN("sentences");

TEST_CASE("sentences of a text") {
    for (const SentencesCase& c : kCases) {
        CAPTURE(std::string(c.name));
        std::vector<std::string> got;
        for (const Span& span : sentences_of(c.text)) {
            got.push_back(c.text.substr(span.begin, span.end - span.begin));
        }
        CHECK(got == c.want);
    }
}

TEST_SUITE_END();

}  // namespace jikji::text
