#include "service/response_cache.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <set>

namespace jikji::service {
namespace {

CachedAnswer answer(const std::string& text) {
    CachedAnswer out;
    out.pieces.push_back({text, {}});
    out.usage.completion_tokens = 3;
    return out;
}

engine::GenerationRequest deterministic() {
    engine::GenerationRequest request;
    request.model = std::string("m");
    request.prompt = {1, 2, 3};
    request.sampling.temperature = 0;
    return request;
}

}  // namespace

TEST_SUITE_BEGIN("response_cache");

TEST_CASE("the least recently used goes first") {
    ResponseCache cache(2, 1 << 20);
    cache.put("a", answer("A"));
    cache.put("b", answer("B"));
    CHECK(cache.find("a")->pieces.at(0).text == "A");  // now b is the oldest
    cache.put("c", answer("C"));
    CHECK_FALSE(cache.find("b"));
    CHECK(cache.find("a"));
    CHECK(cache.find("c")->usage.completion_tokens == 3);
    CHECK(cache.entries() == 2);
    cache.put("a", answer("new"));
    CHECK(cache.entries() == 2);
    CHECK(cache.find("a")->pieces.at(0).text == "new");
}

TEST_CASE("one tenant's answers are forgotten, and nobody else's") {
    ResponseCache cache(10, 1 << 20);
    std::vector<std::string> keys;
    for (const char* tenant : {"key_a", "key_ab", "key_b"}) {
        engine::GenerationRequest request = deterministic();
        request.tenant = std::string(tenant);
        keys.push_back(ResponseCache::key_of(request, "f", 0));
        cache.put(keys.back(), answer("A"));
    }
    cache.forget("key_a");
    CHECK_FALSE(cache.find(keys[0]));
    CHECK(cache.find(keys[1]));
    CHECK(cache.find(keys[2]));
    cache.forget("key_b");
    cache.forget("key_ab");
    CHECK(cache.bytes() == 0);
}

TEST_CASE("bytes are bounded, and an answer that is too large leaves the rest") {
    ResponseCache cache(100, 10'000);
    for (int i = 0; i < 50; ++i) {
        cache.put(std::to_string(i), answer(std::string(1'000, 'x')));
        CHECK(cache.bytes() <= 10'000);
    }
    const std::size_t entries = cache.entries();
    CHECK(entries >= 2);
    cache.put("huge", answer(std::string(10'001, 'x')));
    CHECK_FALSE(cache.find("huge"));
    CHECK(cache.entries() == entries);
}

TEST_CASE("a cache of no entries keeps nothing") {
    ResponseCache cache(0, 10'000);
    cache.put("a", answer("A"));
    CHECK(cache.entries() == 0);
}

TEST_CASE("everything that can change the text changes the key") {
    using Request = engine::GenerationRequest;
    const std::function<void(Request&)> changes[] = {
        [](Request&) {},
        [](Request& r) { r.tenant = std::string("key_of_another"); },
        [](Request& r) { r.model = std::string("n"); },
        [](Request& r) {
            r.prompt = {1, 2};
        },
        [](Request& r) {
            r.prompt = {1, 2, 4};
        },
        [](Request& r) { r.sampling.temperature = 0.5F, r.sampling.seed = 1; },
        [](Request& r) { r.sampling.temperature = 0.5F, r.sampling.seed = 2; },
        [](Request& r) { r.sampling.seed = 0; },
        [](Request& r) { r.sampling.top_p = 0.5F; },
        [](Request& r) { r.sampling.top_k = 4; },
        [](Request& r) { r.sampling.min_p = 0.1F; },
        [](Request& r) { r.sampling.repeat_penalty = 1.1F; },
        [](Request& r) { r.sampling.presence_penalty = 1; },
        [](Request& r) { r.sampling.frequency_penalty = 1; },
        [](Request& r) { r.sampling.penalty_window = 1; },
        [](Request& r) {
            r.sampling.logit_bias = {{1, 2}};
        },
        [](Request& r) {
            r.sampling.logit_bias = {{2, 1}};
        },
        [](Request& r) { r.max_tokens = 5; },
        [](Request& r) {
            r.stop = {"a", "b"};
        },
        [](Request& r) { r.stop = {"ab"}; },
        [](Request& r) { r.top_logprobs = 0; },
        [](Request& r) { r.ignore_eos = true; },
        [](Request& r) { r.constraint.grammar = "root ::= \"a\""; },
        [](Request& r) { r.constraint.grammar = "root ::= \"b\""; },
        [](Request& r) { r.constraint.lazy = true; },
        [](Request& r) { r.constraint.trigger_patterns = {"a"}; },
        [](Request& r) { r.constraint.trigger_words = {"a"}; },
        [](Request& r) { r.constraint.wake_after = std::string("a"); },
        [](Request& r) { r.constraint.trigger_tokens = {1}; },
        [](Request& r) { r.constraint.kept_tokens = {1}; },
        [](Request& r) { r.constraint.written = std::string("a"); },
    };
    std::set<std::string> keys;
    for (const auto& change : changes) {
        Request request = deterministic();
        change(request);
        keys.insert(ResponseCache::key_of(request, "f", 0));
    }
    CHECK(keys.size() == std::size(changes));
    keys.insert(ResponseCache::key_of(deterministic(), "g", 0));
    keys.insert(ResponseCache::key_of(deterministic(), "f", 1));
    CHECK(keys.size() == std::size(changes) + 2);
    CHECK(ResponseCache::key_of(deterministic(), "f", 0) ==
          ResponseCache::key_of(deterministic(), "f", 0));
}

TEST_CASE("a request that draws fresh numbers has no key") {
    auto request = deterministic();
    request.sampling.temperature = 0.1F;
    CHECK(ResponseCache::key_of(request, "f", 0).empty());
    request.sampling.seed = 5;
    CHECK_FALSE(ResponseCache::key_of(request, "f", 0).empty());
}

TEST_SUITE_END();

}  // namespace jikji::service
