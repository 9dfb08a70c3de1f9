#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "evaluation/quality.hpp"
#include "evaluation/relevance.hpp"
#include "text/normalise.hpp"

namespace jikji::evaluation {
namespace {

// The escapes that make_relevance.py writes.
std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '\\') {
            out += text[i];
        } else {
            const char c = text[++i];
            out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
        }
    }
    return out;
}

struct Pair {
    std::string a, b;
    double ratio = 0;
};

std::vector<Pair> golden() {
    std::vector<Pair> out;
    std::ifstream file(JIKJI_SOURCE_DIR "/tests/golden/relevance.tsv");
    for (std::string line; std::getline(file, line);) {
        const auto first = line.find('\t'), second = line.find('\t', first + 1);
        out.push_back({unescaped(line.substr(0, first)),
                       unescaped(line.substr(first + 1, second - first - 1)),
                       std::strtod(line.c_str() + second + 1, nullptr)});
    }
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("evaluation");

// Reference: Python's difflib, by tests/golden/make_relevance.py. Tolerance: one division.
TEST_CASE("relevance is difflib's ratio") {
    const std::vector<Pair> pairs = golden();
    REQUIRE(pairs.size() == 500);
    int long_ones = 0;
    for (const Pair& pair : pairs) {
        CAPTURE(pair.a);
        CAPTURE(pair.b);
        CHECK(std::abs(relevance(pair.a, pair.b) - pair.ratio) <= 1e-12);
        if (text::count_characters(pair.b) >= 200) ++long_ones;
    }
    CHECK(long_ones >= 50);  // or autojunk would not be tried
}

TEST_CASE("relevance at its edges") {
    CHECK(relevance("", "") == 1);
    CHECK(relevance("", "a") == 0);
    CHECK(relevance("abcd", "bcde") == 0.75);  // difflib's own example
    CHECK(relevance("한글", "한국") == 0.5);
    CHECK(relevance("\xff", "\xfe") == 1);  // both U+FFFD
    // Autojunk: a letter that is all of b starts no match, yet widens one that begins at the edge.
    CHECK(relevance(std::string(300, 'a'), std::string(300, 'a')) == 1);
    CHECK(relevance("x" + std::string(300, 'a'), std::string(300, 'a')) == 0);
}

struct QualityCase {
    const char* text;
    std::size_t length;
    bool has_code, politeness;
};

TEST_CASE("quality of an answer") {
    const QualityCase cases[] = {
        {"", 0, false, false},
        {"안녕하세요", 5, false, true},
        {"감사합니다 😀", 7, false, true},
        {"죄송하지만 모릅니다.", 11, false, true},
        {"```cpp\nint x;\n```", 17, true, false},
        {"``no fence``", 12, false, false},
    };
    for (const QualityCase& c : cases) {
        CAPTURE(c.text);
        const Quality quality = quality_of(c.text);
        CHECK(quality.length == c.length);
        CHECK(quality.has_code == c.has_code);
        CHECK(quality.politeness == c.politeness);
        CHECK_FALSE(quality.relevance.has_value());
    }
    CHECK(quality_of("abcd", "bcde").relevance == 0.75);
}

TEST_CASE("texts that are too long to compare are named") {
    const std::string big(kCompareBytes + 1, 'x');
    CHECK(quality_of(big).length == big.size());
    try {
        quality_of("short", big);
        FAIL("a text over the limit was compared");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kTooLarge);
        CHECK(error.field() == "expected");
    }
}

TEST_SUITE_END();

}  // namespace jikji::evaluation
