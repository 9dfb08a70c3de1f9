#include "engine/prefix_store.hpp"

#include <doctest/doctest.h>

using namespace jikji::engine;

TEST_SUITE_BEGIN("prefix_store");

TEST_CASE("the longest common beginning is found") {
    PrefixStore store(1000);
    store.put({{1, 2, 3, 4}, "a"});
    store.put({{1, 2, 9}, "b"});
    const auto found = store.find({1, 2, 3, 7});
    REQUIRE(found.entry != nullptr);
    CHECK(found.entry->state == "a");
    CHECK(found.common == 3);
    CHECK(store.find({5}).entry == nullptr);
    CHECK(store.find({}).entry == nullptr);
}

TEST_CASE("a longer text takes the place of its beginning, and a beginning is not wanted") {
    PrefixStore store(1000);
    store.put({{1, 2}, "short"});
    CHECK(store.wants({1, 2, 3}));
    store.put({{1, 2, 3}, "long"});
    CHECK(store.entries() == 1);
    CHECK_FALSE(store.wants({1, 2}));
    CHECK_FALSE(store.wants({1, 2, 3}));
    CHECK(store.find({1, 2}).entry->state == "long");
}

TEST_CASE("the least recently used go when bytes run out") {
    PrefixStore store(3 * (100 + sizeof(Token)));
    for (Token token : {1, 2, 3}) store.put({{token}, std::string(100, 'x')});
    store.find({1});  // used again
    store.put({{4}, std::string(100, 'x')});
    CHECK(store.entries() == 3);
    CHECK(store.find({1}).common == 1);
    CHECK(store.find({2}).common == 0);
    CHECK(store.bytes() == 3 * (100 + sizeof(Token)));
    store.put({{5}, std::string(1000, 'x')});  // larger than the whole store
    CHECK(store.find({5}).common == 0);
    CHECK(store.entries() == 3);
}

TEST_SUITE_END();
