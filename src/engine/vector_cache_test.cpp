#include "engine/vector_cache.hpp"

#include <doctest/doctest.h>

using namespace jikji::engine;

TEST_SUITE_BEGIN("vector_cache");

TEST_CASE("a key tells tenants and tokens apart") {
    const auto key = VectorCache::key_of("a", {1, 2});
    CHECK(key == VectorCache::key_of("a", {1, 2}));
    CHECK(key != VectorCache::key_of("b", {1, 2}));
    CHECK(key != VectorCache::key_of("a", {2, 1}));
    CHECK(key != VectorCache::key_of("a", {1}));
}

TEST_CASE("one tenant's vectors are forgotten, and nobody else's") {
    VectorCache cache(1 << 20);
    const auto key = [](const char* tenant) { return VectorCache::key_of(tenant, {1, 2}); };
    for (const char* tenant : {"a", "ab", "b"}) cache.keep(key(tenant), {1.0F});
    const std::size_t bytes = cache.bytes();
    cache.forget("a");
    CHECK(cache.find(key("a")) == nullptr);
    CHECK(cache.find(key("ab")) != nullptr);
    CHECK(cache.find(key("b")) != nullptr);
    CHECK(cache.bytes() < bytes);
}

TEST_CASE("what was used longest ago goes first, and the limit holds") {
    VectorCache cache(5000);
    const std::vector<float> row(384, 1.0F);
    cache.keep("one", row);
    cache.keep("two", row);
    REQUIRE(cache.find("one") != nullptr);  // "two" is the older one now
    cache.keep("three", row);
    CHECK(cache.find("two") == nullptr);
    CHECK(cache.find("one") != nullptr);
    REQUIRE(cache.find("three") != nullptr);
    CHECK(*cache.find("three") == row);
    CHECK(cache.bytes() <= 5000);
    cache.keep("big", std::vector<float>(4000, 1.0F));
    CHECK(cache.bytes() == 0);
}

TEST_CASE("without room nothing is kept") {
    VectorCache cache(0);
    cache.keep("one", {1.0F});
    CHECK(cache.find("one") == nullptr);
    CHECK(cache.bytes() == 0);
}

TEST_SUITE_END();
