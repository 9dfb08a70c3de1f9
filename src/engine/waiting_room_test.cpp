#include "engine/waiting_room.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <thread>
#include <vector>

#include "base/error.hpp"

using namespace jikji;
using namespace jikji::engine;
using namespace std::chrono_literals;

namespace {

std::optional<std::chrono::milliseconds> refusal(WaitingRoom& room, const std::string& tenant) {
    try {
        room.take(tenant);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kOverloaded);
        REQUIRE(error.retry_after());
        return error.retry_after();
    }
    return std::nullopt;
}

}  // namespace

TEST_SUITE_BEGIN("waiting_room");

TEST_CASE("one tenant gets half of the places, and all of them together all") {
    WaitingRoom room(8);
    std::vector<WaitingRoom::Place> places;
    for (int i = 0; i < 4; ++i) places.push_back(room.take("a"));
    CHECK(refusal(room, "a"));
    for (int i = 0; i < 2; ++i) places.push_back(room.take("b"));
    for (int i = 0; i < 2; ++i) places.push_back(room.take("c"));
    CHECK(refusal(room, "d"));
    CHECK(room.waiting() == 8);
    places.front().release();
    places.front().release();  // once is enough
    CHECK(room.waiting() == 7);
    CHECK(!refusal(room, "a"));  // it went at once
    places.clear();
    CHECK(room.waiting() == 0);
}

TEST_CASE("who is refused is told to come when half of the wait is over, within a minute") {
    WaitingRoom room(1, 1);
    const WaitingRoom::Place place = room.take("a");
    CHECK(refusal(room, "b") == 500ms);
    room.predict(8s);
    CHECK(refusal(room, "b") == 4s);
    room.predict(1h);
    CHECK(refusal(room, "b") == 60s);
}

TEST_CASE("places may be taken and given back by many threads") {
    WaitingRoom room(64);
    std::vector<std::thread> threads;
    for (const char* tenant : {"a", "b", "c", "d"}) {
        threads.emplace_back([&room, tenant] {
            for (int i = 0; i < 1000; ++i) WaitingRoom::Place place = room.take(tenant);
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(room.waiting() == 0);
}

TEST_SUITE_END();
