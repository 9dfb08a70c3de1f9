#include "service/shared_answer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>

#include "base/error.hpp"
#include "service/response_cache.hpp"

namespace jikji::service {
namespace {

struct Source {
    std::shared_ptr<engine::StreamWriter> writer = std::make_shared<engine::StreamWriter>();
    std::shared_ptr<SharedAnswer> answer = std::make_shared<SharedAnswer>(engine::Stream(writer));

    void say(const std::string& text) { writer->push({text, {}}); }
    void end() { writer->finish(engine::Finish::kLength, {5, 2, 3}); }
};

std::string read_all(SharedAnswer& answer) {
    std::string out;
    for (std::size_t i = 0; auto piece = answer.next(i); ++i) out += piece->text;
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("shared_answer");

TEST_CASE("every reader reads the whole of it, whenever it comes") {
    Source source;
    source.say("one ");
    CHECK(source.answer->next(0)->text == "one ");
    std::string early;
    std::thread waiting([&] { early = read_all(*source.answer); });
    std::string beside;
    std::thread other([&] { beside = read_all(*source.answer); });
    source.say("two ");
    source.say("three");
    source.end();
    waiting.join();
    other.join();
    CHECK(early == "one two three");
    CHECK(beside == early);
    CHECK(read_all(*source.answer) == early);
    CHECK(source.answer->finish() == engine::Finish::kLength);
    CHECK(source.answer->usage().cached_tokens == 2);
}

TEST_CASE("one piece wakes all who wait for it, each once") {
    Source source;
    int woken = 0;
    for (int i = 0; i < 3; ++i) source.answer->when_ready(0, [&] { ++woken; });
    CHECK(woken == 0);
    source.say("a");
    CHECK(woken == 3);
    for (int i = 0; i < 3; ++i) CHECK(source.answer->next(0)->text == "a");
    source.answer->when_ready(0, [&] { ++woken; });  // is there
    CHECK(woken == 4);
    source.answer->when_ready(1, [&] { ++woken; });
    CHECK(woken == 4);
    source.end();
    CHECK(woken == 5);
    CHECK_FALSE(source.answer->next(1));
}

TEST_CASE("the work goes on while one reader is left, and stops with the last") {
    Source source;
    auto follower = source.answer;
    source.answer.reset();
    CHECK(source.writer->wanted());
    follower.reset();
    CHECK_FALSE(source.writer->wanted());
}

TEST_CASE("what stops the engine reaches every reader, and is not remembered") {
    Source source;
    source.writer->fail(std::make_exception_ptr(Error(ErrorCode::kStopping, "stopping")));
    CHECK_THROWS_AS(source.answer->next(0), Error);
    CHECK_THROWS_AS(source.answer->next(0), Error);
    CHECK_FALSE(source.answer->to_remember());
}

TEST_CASE("a whole answer is given to be remembered once, a cancelled one never") {
    Source whole;
    whole.say("text");
    CHECK_FALSE(whole.answer->to_remember());
    whole.end();
    read_all(*whole.answer);
    CHECK(whole.answer->to_remember()->pieces.at(0).text == "text");
    CHECK_FALSE(whole.answer->to_remember());
    Source cancelled;
    cancelled.writer->finish(engine::Finish::kCancelled, {});
    read_all(*cancelled.answer);
    CHECK_FALSE(cancelled.answer->to_remember());
}

TEST_CASE("equal requests at the same moment start one computation") {
    ResponseCache cache(10, 1 << 20);
    Source source;
    int started = 0;
    const auto start = [&] {
        ++started;
        return engine::Stream(source.writer);
    };
    auto first = cache.find_or_start("k", {}, start);
    CHECK_FALSE(first.hit);
    CHECK(cache.find_or_start("k", {}, start).hit);
    CHECK(started == 1);
    source.say("x");
    source.end();
    CHECK(read_all(*first.answer) == "x");
    cache.put("k", *first.answer->to_remember());
    first.answer.reset();
    const auto later = cache.find_or_start("k", {}, start);
    CHECK(later.hit);
    CHECK(read_all(*later.answer) == "x");
    CHECK(started == 1);
}

// Goal: whoever joins gets what it would have got alone: no deadline of another's, no lane that is
// served later. Method: one request is under way, another that is equal but for its urgency comes.
TEST_CASE("a computation is joined only where it serves both") {
    using engine::Lane;
    struct Case {
        const char* name;
        ResponseCache::Urgency first, second;
        bool joined;
    };
    const Case cases[] = {
        {"equal", {}, {}, true},
        {"the first has a deadline", {Lane::kInteractive, true}, {}, false},
        {"the second has a deadline", {}, {Lane::kInteractive, true}, false},
        {"both have one", {Lane::kInteractive, true}, {Lane::kInteractive, true}, false},
        {"interactive after batch", {Lane::kBatch, false}, {}, false},
        {"batch after interactive", {}, {Lane::kBatch, false}, true},
        {"batch after batch", {Lane::kBatch, false}, {Lane::kBatch, false}, true},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.name));
        ResponseCache cache(10, 1 << 20);
        const auto start = [] { return engine::Stream(std::make_shared<engine::StreamWriter>()); };
        const auto first = cache.find_or_start("k", c.first, start);
        CHECK_FALSE(first.hit);
        CHECK(cache.find_or_start("k", c.second, start).hit == c.joined);
    }
}

TEST_CASE("what is whole serves everyone, whatever their urgency") {
    ResponseCache cache(10, 1 << 20);
    Source source;
    const auto start = [&] { return engine::Stream(source.writer); };
    const auto first = cache.find_or_start("k", {engine::Lane::kBatch, false}, start);
    source.say("x");
    source.end();
    read_all(*first.answer);
    CHECK(cache.find_or_start("k", {engine::Lane::kInteractive, true}, start).hit);
}

TEST_CASE("the more urgent computation is the one that later ones join") {
    ResponseCache cache(10, 1 << 20);
    const auto start = [] { return engine::Stream(std::make_shared<engine::StreamWriter>()); };
    const auto slow = cache.find_or_start("k", {engine::Lane::kBatch, false}, start);
    const auto soon = cache.find_or_start("k", {}, start);
    const auto hurried = cache.find_or_start("k", {engine::Lane::kInteractive, true}, start);
    CHECK_FALSE(hurried.hit);
    CHECK(cache.find_or_start("k", {}, start).answer == soon.answer);
    CHECK(cache.find_or_start("k", {engine::Lane::kBatch, false}, start).answer == soon.answer);
}

TEST_CASE("a computation that failed or was cancelled is not joined") {
    for (const bool cancelled : {false, true}) {
        CAPTURE(cancelled);
        ResponseCache cache(10, 1 << 20);
        Source source;
        const auto start = [&] { return engine::Stream(source.writer); };
        const auto first = cache.find_or_start("k", {}, start);
        if (cancelled) {
            source.writer->finish(engine::Finish::kCancelled, {});
            read_all(*first.answer);
        } else {
            source.writer->fail(std::make_exception_ptr(Error(ErrorCode::kInternal, "broken")));
            CHECK_THROWS_AS(read_all(*first.answer), Error);
        }
        CHECK_FALSE(cache.find_or_start("k", {}, start).hit);
    }
}

TEST_CASE("a computation that all have left is not joined") {
    ResponseCache cache(10, 1 << 20);
    const auto start = [] { return engine::Stream(std::make_shared<engine::StreamWriter>()); };
    CHECK_FALSE(cache.find_or_start("k", {}, start).hit);
    CHECK_FALSE(cache.find_or_start("k", {}, start).hit);
}

TEST_CASE("a start that fails is the asker's error and leaves no trace") {
    ResponseCache cache(10, 1 << 20);
    const auto fails = []() -> engine::Stream { throw Error(ErrorCode::kOverloaded, "full"); };
    CHECK_THROWS_AS(cache.find_or_start("k", {}, fails), Error);
    const auto start = [] { return engine::Stream(std::make_shared<engine::StreamWriter>()); };
    CHECK_FALSE(cache.find_or_start("k", {}, start).hit);
}

TEST_SUITE_END();

}  // namespace jikji::service
