#include "http/offload.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <latch>

#include "base/error.hpp"

namespace jikji::http {
namespace {

/// A pool of four threads with eight waiting places, and work that lasts until it is let go.
struct Pool {
    net::io_context io;
    Workers workers{4, 8};
    std::latch go{1};
    std::atomic<int> held{0}, done{0};
    std::vector<Error> refusals;

    void start(const std::string& owner, std::function<void()> work) {
        net::co_spawn(io, run(owner, std::move(work)), net::detached);
    }
    net::awaitable<void> run(std::string owner, std::function<void()> work) {
        try {
            co_await workers.run(std::move(owner), std::move(work));
            ++done;
        } catch (const Error& error) {
            refusals.push_back(error);
        }
    }
    void hold(const std::string& owner, int count) {
        for (int i = 0; i < count; ++i) {
            start(owner, [this] {
                ++held;
                go.wait();
            });
        }
    }
    void run_until(const std::function<bool()>& there) {
        while (!there()) io.run_one_for(std::chrono::milliseconds(1));
    }
    void end() {
        go.count_down();
        io.restart();
        io.run();
    }
};

}  // namespace

TEST_SUITE_BEGIN("offload");

TEST_CASE("one owner holds half of the threads; another's work passes what waits") {
    Pool pool;
    pool.hold("flood", 2);
    pool.run_until([&] { return pool.held == 2; });
    pool.hold("flood", 3);
    bool passed = false;
    pool.start("quiet", [&] { passed = true; });
    pool.run_until([&] { return pool.done == 1; });
    CHECK(passed);
    CHECK(pool.held == 2);  // three of the first owner's still wait
    pool.end();
    CHECK(pool.held == 5);
    CHECK(pool.done == 6);
    CHECK(pool.refusals.empty());
}

TEST_CASE("one owner has half of the waiting places, and is told when to come back") {
    Pool pool;
    pool.hold("flood", 2);
    pool.run_until([&] { return pool.held == 2; });
    pool.hold("flood", 5);
    pool.run_until([&] { return pool.refusals.size() == 1; });
    CHECK(pool.refusals[0].code() == ErrorCode::kOverloaded);
    CHECK(pool.refusals[0].retry_after().has_value());
    CHECK(std::string(pool.refusals[0].what()).find("4 of your requests") != std::string::npos);
    pool.start("quiet", [] {});
    pool.run_until([&] { return pool.done == 1; });
    pool.end();
    CHECK(pool.done == 7);
}

TEST_CASE("what work throws is thrown to whoever waits for it") {
    Pool pool;
    pool.start("one", [] { throw Error(ErrorCode::kConflict, "no"); });
    pool.run_until([&] { return pool.refusals.size() == 1; });
    CHECK(pool.refusals[0].code() == ErrorCode::kConflict);
    pool.end();
}

TEST_SUITE_END();

}  // namespace jikji::http
