#include "engine/prompt_lookup.hpp"

#include <doctest/doctest.h>

namespace jikji::engine {
namespace {

using Tokens = std::vector<Token>;

/// What half a hit rate is worth beside seven others.
int doubtful_of(const std::function<double(int)>& seconds) {
    return PromptLookup().worth(16, 8, seconds);
}

}  // namespace

TEST_SUITE_BEGIN("prompt_lookup");

TEST_CASE("a text goes on as it did after the same tokens, the last time") {
    const Tokens text = {9, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3};
    PromptLookup lookup;
    lookup.follow(text);
    CHECK(lookup.propose(text, 4) == Tokens{4, 5, 6, 7});
    CHECK(lookup.propose(text, 2) == Tokens{4, 5});
    CHECK(lookup.propose(text, 0).empty());
    CHECK(lookup.propose(text, 100) == Tokens{4, 5, 6, 7, 1, 2, 3});

    Tokens twice = text;
    for (const Token token : {8, 8, 1, 2, 3}) twice.push_back(token);
    lookup.follow(twice);
    CHECK(lookup.propose(twice, 2) == Tokens{8, 8});
}

TEST_CASE("where nothing like it stood before there is no proposal") {
    PromptLookup lookup;
    for (const Tokens& text : {Tokens{}, Tokens{1}, Tokens{1, 2, 3}, Tokens{1, 2, 3, 4, 5}}) {
        PromptLookup fresh;
        fresh.follow(text);
        CHECK(fresh.propose(text, 8).empty());
    }
}

TEST_CASE("the hit rate follows the answer, not the prompt") {
    Tokens text;
    for (int i = 0; i < 40; ++i) text.push_back(i % 5);
    PromptLookup lookup;
    lookup.follow(text);
    const double before = lookup.hit_rate();
    for (int i = 40; i < 80; ++i) {
        text.push_back(i % 5);
        lookup.follow(text);
    }
    CHECK(lookup.hit_rate() > 0.95);
    CHECK(before == 0.5);
    for (int i = 0; i < 40; ++i) {  // the same three tokens, then each time another one
        for (const Token token : {1, 2, 3, 100 + i}) text.push_back(token);
        lookup.follow(text);
    }
    CHECK(lookup.hit_rate() < 0.6);
}

TEST_CASE("tokens are computed ahead only where that makes more of them per second") {
    Tokens text;
    for (int i = 0; i < 200; ++i) text.push_back(i % 7);
    PromptLookup sure;
    sure.follow(Tokens(text.begin(), text.begin() + 50));
    sure.follow(text);
    REQUIRE(sure.hit_rate() > 0.99);
    const auto free_rows = [](int) { return 1.0; };
    const auto dear_rows = [](int count) { return 1.0 + count; };
    const auto cheap_rows = [](int count) { return 1.0 + 0.1 * count; };
    CHECK(sure.worth(16, 1, free_rows) == 16);
    CHECK(sure.worth(16, 1, dear_rows) == 0);
    CHECK(sure.worth(16, 1, cheap_rows) == 16);
    CHECK(sure.worth(0, 1, free_rows) == 0);

    // Beside seven others a row more holds up all of them.
    const auto eight = [](int count) { return 1.0 + 0.2 * (7 + count); };
    CHECK(sure.worth(16, 8, eight) > 0);
    CHECK(doubtful_of(eight) == 0);

    PromptLookup doubtful;  // half of the tokens, as at the start
    CHECK(doubtful.worth(16, 1, dear_rows) == 0);
    const int some = doubtful.worth(16, 1, cheap_rows);
    CHECK(some >= 1);
    CHECK(some <= 4);
}

TEST_SUITE_END();

}  // namespace jikji::engine
