#include "training/samples.hpp"

#include <doctest/doctest.h>

#include <string>

namespace jikji::training {
namespace {

Sample sample_of(int tokens, Token first) {
    Sample sample;
    for (int i = 0; i < tokens; ++i) sample.tokens.push_back(first + i);
    sample.learnt.assign(sample.tokens.size(), 1);
    sample.learnt[0] = 0;
    return sample;
}

std::vector<Pack> packed(const std::vector<Sample>& samples, int tokens_most) {
    std::vector<const Sample*> views;
    std::vector<std::uint64_t> numbers;
    for (const Sample& sample : samples) {
        views.push_back(&sample);
        numbers.push_back(100 + numbers.size());
    }
    return pack(views, numbers, tokens_most);
}

TEST_SUITE_BEGIN("samples");

TEST_CASE("row 4: samples lie whole, in order and without padding in the first pack with room") {
    const std::vector<Sample> samples{sample_of(5, 10), sample_of(4, 20), sample_of(3, 30),
                                      sample_of(4, 40), sample_of(1, 50)};
    const std::vector<Pack> packs = packed(samples, 8);
    REQUIRE(packs.size() == 3);
    // 4 does not fit behind 5; 3 does; the last 4 fits behind 4 to the brim; 1 needs a new pack.
    CHECK(packs[0].samples == std::vector<std::uint64_t>{100, 102});
    CHECK(packs[0].starts == std::vector<int>{0, 5});
    CHECK(packs[0].tokens == std::vector<Token>{10, 11, 12, 13, 14, 30, 31, 32});
    CHECK(packs[0].learnt == std::vector<std::uint8_t>{0, 1, 1, 1, 1, 0, 1, 1});
    CHECK(packs[1].samples == std::vector<std::uint64_t>{101, 103});
    CHECK(packs[1].starts == std::vector<int>{0, 4});
    CHECK(packs[1].size() == 8);
    CHECK(packs[2].samples == std::vector<std::uint64_t>{104});
}

TEST_CASE("row 4: a sample's first token is never learnt, for it follows nothing of its own") {
    Sample wrong = sample_of(3, 1);
    wrong.learnt[0] = 1;
    const std::vector<Pack> packs = packed({sample_of(3, 10), wrong}, 16);
    REQUIRE(packs.size() == 1);
    CHECK(packs[0].learnt == std::vector<std::uint8_t>{0, 1, 1, 0, 1, 1});
}

TEST_CASE("a sample over the limit has a pack of its own") {
    const std::vector<Pack> packs =
        packed({sample_of(2, 1), sample_of(9, 10), sample_of(2, 30)}, 8);
    REQUIRE(packs.size() == 2);
    CHECK(packs[0].samples == std::vector<std::uint64_t>{100, 102});
    CHECK(packs[1].samples == std::vector<std::uint64_t>{101});
    CHECK(packs[1].size() == 9);
}

TEST_CASE("no samples make no packs") { CHECK(packed({}, 8).empty()); }

TEST_CASE("learnt tokens are counted") {
    CHECK(sample_of(5, 1).learnt_count() == 4);
    CHECK(Sample{}.learnt_count() == 0);
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::training
