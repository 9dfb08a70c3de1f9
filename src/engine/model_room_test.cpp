#include "engine/model_room.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace jikji;
using namespace jikji::engine;
using Outcome = RoomPlan::Outcome;
using Names = std::vector<std::string>;

TEST_SUITE_BEGIN("model_room");

TEST_CASE("room for a model: who goes, who stays, and when it is refused") {
    const Occupant old{.name = "old", .bytes = 10, .last_use = 1};
    const Occupant big{.name = "big", .bytes = 40, .last_use = 2};
    const Occupant late{.name = "late", .bytes = 20, .last_use = 3};
    const auto with = [](Occupant one, bool Occupant::*flag) {
        one.*flag = true;
        return one;
    };
    struct Case {
        const char* what;
        std::uint64_t need, limit;
        std::vector<Occupant> loaded;
        Outcome outcome;
        Names unload;
    };
    const Case cases[] = {
        {"an empty machine", 50, 50, {}, Outcome::kFits, {}},
        {"one byte too many", 51, 50, {}, Outcome::kTooBig, {}},
        {"beside others, to the last byte", 30, 100, {late, big, old}, Outcome::kFits, {}},
        {"the least recently used goes", 31, 100, {late, big, old}, Outcome::kFits, {"old"}},
        {"as many as it takes", 80, 100, {late, big, old}, Outcome::kFits, {"old", "big"}},
        {"not one that may stay", 60, 100, {late, big, old}, Outcome::kFits, {"big"}},
        {"all of them", 100, 100, {late, big, old}, Outcome::kFits, {"old", "big", "late"}},
        {"a pinned one stays",
         40,
         100,
         {late, with(big, &Occupant::pinned), old},
         Outcome::kFits,
         {"old"}},
        {"beside the pinned one it never fits",
         61,
         100,
         {late, with(big, &Occupant::pinned), old},
         Outcome::kTooBig,
         {}},
        {"a default model goes last",
         31,
         100,
         {late, big, with(old, &Occupant::preferred)},
         Outcome::kFits,
         {"big"}},
        {"but it goes", 100, 100, {with(old, &Occupant::preferred)}, Outcome::kFits, {"old"}},
        {"a busy one is passed over",
         31,
         100,
         {late, big, with(old, &Occupant::busy)},
         Outcome::kFits,
         {"big"}},
        {"wait for a busy one", 95, 100, {with(old, &Occupant::busy)}, Outcome::kBusy, {}},
        {"no limit that anybody knows",
         1u << 30,
         std::numeric_limits<std::uint64_t>::max(),
         {late},
         Outcome::kFits,
         {}},
        {"a limit below what is loaded", 5, 60, {late, big, old}, Outcome::kFits, {"big"}},
    };
    for (const Case& one : cases) {
        CAPTURE(std::string(one.what));
        const RoomPlan plan = make_room({.name = "new", .bytes = one.need}, one.limit, one.loaded);
        CHECK(plan.outcome == one.outcome);
        CHECK(plan.unload == one.unload);
    }
}

TEST_CASE("the memory that models may take") {
    CHECK(MemoryLimit{.fixed = 7, .available = 100}.bytes() == 7);
    CHECK(MemoryLimit{}.bytes() == std::numeric_limits<std::uint64_t>::max());
    CHECK(MemoryLimit{.available = 100, .held = 60, .reserve = 20}.bytes() == 140);
    CHECK(MemoryLimit{.available = 40, .reserve = 20}.bytes() == 30);  // a quarter at most
}

TEST_CASE("a refusal says what is needed, what is free, what is there, and what to do") {
    const std::vector<Occupant> loaded = {{.name = "chat", .bytes = 3'000'000'000, .pinned = true},
                                          {.name = "e5", .bytes = 500'000'000, .busy = true}};
    const Error never = no_room_error({.name = "huge", .bytes = 9'000'000'000}, 8'000'000'000,
                                      loaded, Outcome::kTooBig);
    CHECK(never.code() == ErrorCode::kInvalidArgument);
    CHECK(never.field() == "model");
    const std::string message = never.what();
    for (const char* part : {"huge", "9.0 GB", "8.0 GB", "4.5 GB", "chat 3.0 GB (pinned)",
                             "quantisation", "--context", "--pin", "--models-memory-mb"}) {
        CAPTURE(std::string(part));
        CHECK(message.find(part) != std::string::npos);
    }
    const Error later = no_room_error({.name = "other", .bytes = 5'000'000'000}, 8'000'000'000,
                                      loaded, Outcome::kBusy);
    CHECK(later.code() == ErrorCode::kOverloaded);
    CHECK(later.retry_after().has_value());
    CHECK(std::string(later.what()).find("e5 500 MB (computing)") != std::string::npos);
}

TEST_SUITE_END();
