#include "knowledge/splitter.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "knowledge/document_builder.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

/// Stands for a model's tokenizer: one token per character.
int characters(std::string_view text) { return static_cast<int>(text::count_characters(text)); }

std::vector<std::string> texts(const Document& document, SplitOptions options) {
    std::vector<std::string> out;
    for (const Chunk& chunk : split(document, options, characters)) out.push_back(chunk.text);
    return out;
}

Document plain(const char* text) {
    DocumentBuilder builder;
    for (const auto paragraph : paragraphs_of(text)) builder.paragraph(paragraph);
    return builder.finish();
}

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += "[" + part + "]";
    return out;
}

struct SplitCase {
    const char* name;
    const char* text;
    SplitOptions options;
    std::vector<std::string> want;
};

const SplitCase kCases[] = {
    {"empty", "", {.tokens_max = 4}, {}},
    {"fits exactly", "abcd", {.tokens_max = 4}, {"abcd"}},
    {"one over", "abcde", {.tokens_max = 4}, {"ab", "cde"}},
    {"paragraphs together", "ab\n\ncd", {.tokens_max = 6}, {"ab\n\ncd"}},
    {"paragraphs apart", "abc\n\ndef", {.tokens_max = 4}, {"abc", "def"}},
    {"sentences", "Aa bb. Cc dd. Ee ff.", {.tokens_max = 14}, {"Aa bb. Cc dd.", "Ee ff."}},
    {"words", "aaa bbb ccc ddd", {.tokens_max = 8}, {"aaa bbb", "ccc ddd"}},
    {"overlap", "Aaa. Bbb. Ccc.", {.tokens_max = 10, .overlap = 5}, {"Aaa. Bbb.", "Bbb. Ccc."}},
    {"keeps characters whole", "가나다라마", {.tokens_max = 2}, {"가나", "다", "라마"}},
};

}  // namespace

TEST_SUITE_BEGIN("splitter");

TEST_CASE("split gives the wanted pieces") {
    for (const SplitCase& c : kCases) {
        CAPTURE(std::string(c.name));
        const auto got = texts(plain(c.text), c.options);
        CAPTURE(joined(got));
        CHECK(got == c.want);
    }
}

TEST_CASE("headings and pages part chunks, and go with them") {
    DocumentBuilder builder;
    builder.page(1);
    builder.heading(1, "규정");
    builder.heading(2, "휴가");
    builder.paragraph("17일이다.");
    builder.heading(2, "출장");
    builder.page(2);
    builder.paragraph("7일 전에 신청한다.");
    const Document document = builder.finish();
    const auto chunks = split(document, {}, characters);
    REQUIRE(chunks.size() == 2);
    CHECK(chunks[0].text == "휴가\n\n17일이다.");
    CHECK(chunks[0].place.heading == "규정 > 휴가");
    CHECK(chunks[0].place.page == 1);
    CHECK(chunks[1].text == "7일 전에 신청한다.");
    CHECK(chunks[1].place.heading == "규정 > 출장");
    CHECK(chunks[1].place.page == 2);
    CHECK(text_to_embed("a.md", chunks[1]) == "규정 > 출장\n7일 전에 신청한다.");
}

TEST_CASE("chunks are the document's own bytes, in order, whole characters, within the limit") {
    unsigned state = 3;
    const std::string alphabet[] = {"가", "나 ", "ab", ". ", "\n\n", "한글", "?", "\n"};
    for (int round = 0; round < 200; ++round) {
        DocumentBuilder builder;
        std::string text;
        for (int i = 0; i < 120; ++i) {
            state = state * 1103515245u + 12345u;
            text += alphabet[(state >> 16) % std::size(alphabet)];
        }
        for (const auto paragraph : paragraphs_of(text)) builder.paragraph(paragraph);
        const Document document = builder.finish();
        const SplitOptions options{.tokens_max = 5 + round % 20, .overlap = round % 3};
        std::size_t covered = 0, letters = 0;
        for (const Chunk& chunk : split(document, options, characters)) {
            const auto begin = static_cast<std::size_t>(chunk.place.begin);
            CHECK(document.text.compare(begin, chunk.text.size(), chunk.text) == 0);
            CHECK(text::valid_utf8(chunk.text));
            CHECK(chunk.tokens <= options.tokens_max);
            CHECK(text::strip(document.text.substr(std::min(covered, begin),
                                                   begin - std::min(covered, begin)))
                      .empty());
            covered = static_cast<std::size_t>(chunk.place.end);
            letters += chunk.text.size();
        }
        CHECK(covered == document.text.size());
        CHECK((letters > 0) == !document.text.empty());
    }
}

TEST_CASE("split names the field and the limit") {
    try {
        split(plain("abc"), {.tokens_max = 8, .overlap = 5}, characters);
        FAIL("overlap above half was taken");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "overlap");
        CHECK(std::string(error.what()) ==
              "overlap is 5; give a number from 0 to half of tokens_max, which is 4");
    }
    CHECK_THROWS_AS(split(plain("abc"), {.tokens_max = 0}, characters), Error);
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
