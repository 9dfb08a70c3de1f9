#include "text/terms.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "text/normalise.hpp"

namespace jikji::text {
namespace {

struct TermsCase {
    const char* name;
    std::string text;
    std::vector<std::string> want;
};

const TermsCase kCases[] = {
    {"empty", "", {}},
    {"separators only", " \t-—.,", {}},
    {"latin stem", "Training the Indexes", {"train", "the", "index"}},
    {"pairs of syllables", "보안정책을", {"보안", "안정", "정책", "책을"}},
    {"one syllable", "책", {"책"}},
    {"two runs", "정책 문서", {"정책", "문서"}},
    {"latin and Hangul meet", "API서버", {"api", "서버"}},
    {"number and Hangul", "2026년", {"2026", "년"}},
    {"full width", "ＡＰＩ", {"api"}},
    {"ligature", "ﬁle", {"file"}},
    {"decomposed Hangul", "\u110C\u1165\u11BC\u110E\u1162\u11A8", {"정책"}},
    {"decomposed accent", "cafe\u0301", {"caf\u00E9"}},
    {"CJK", "漢字文", {"漢字", "字文"}},
    {"invalid bytes part words",
     "ab\xFF"
     "cd",
     {"ab", "cd"}},
    {"cut character", "정\xEC\xB1", {"정"}},
};

}  // namespace

TEST_SUITE_BEGIN("terms");

TEST_CASE("terms of a text") {
    for (const TermsCase& c : kCases) {
        CAPTURE(std::string(c.name));
        CHECK(terms_of(c.text) == c.want);
    }
}

TEST_CASE("offsets are those of the source") {
    const std::string text = "ﬁle 보안정책 ＡＰＩ";
    std::vector<std::string> sources;
    for_each_term(text, [&](std::string_view, std::size_t begin, std::size_t end) {
        sources.push_back(text.substr(begin, end - begin));
        return true;
    });
    CHECK(sources == std::vector<std::string>{"ﬁle", "보안", "안정", "정책", "ＡＰＩ"});
}

TEST_CASE("emit can stop it") {
    int calls = 0;
    for_each_term("하나 둘 셋 four",
                  [&](std::string_view, std::size_t, std::size_t) { return ++calls < 2; });
    CHECK(calls == 2);
}

TEST_CASE("a very long word is cut") {
    const auto terms = terms_of(std::string(1000, 'x'));
    CHECK(terms.size() > 10);
    for (const std::string& term : terms) CHECK(term.size() <= 64);
}

TEST_CASE("any bytes are survived, and terms are valid") {
    unsigned state = 1;
    std::string bytes;
    for (int i = 0; i < 20000; ++i) {
        state = state * 1103515245u + 12345u;
        bytes += static_cast<char>(state >> 16);
    }
    std::size_t last = 0;
    bool valid = true, ordered = true;
    for_each_term(bytes, [&](std::string_view term, std::size_t begin, std::size_t end) {
        valid = valid && valid_utf8(term) && !term.empty();
        ordered = ordered && begin >= last && end > begin && end <= bytes.size();
        last = begin;
        return true;
    });
    CHECK(valid);
    CHECK(ordered);
    CHECK(last > 0);
}

TEST_CASE("stop terms") {
    for (const char* term : {"니다", "에서", "하는", "the", "of", "doe"}) {
        CAPTURE(std::string(term));
        CHECK(is_stop_term(term));
    }
    for (const char* term : {"정책", "보안", "train", "휴가"}) {
        CAPTURE(std::string(term));
        CHECK_FALSE(is_stop_term(term));
    }
}

TEST_SUITE_END();

}  // namespace jikji::text
