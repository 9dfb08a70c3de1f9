#include "llama/thread_governor.hpp"

#include <doctest/doctest.h>

using jikji::llama::ThreadGovernor;

TEST_SUITE_BEGIN("thread_governor");

TEST_CASE("alone on its cores it keeps all threads") {
    ThreadGovernor governor(2);
    for (int i = 0; i < 1000; ++i) {
        governor.record(0.005, 0.0098);
        REQUIRE(governor.threads() == 2);
    }
}

TEST_CASE("interrupted, it uses fewer, tries again, and rests longer each time") {
    ThreadGovernor governor(2);
    int full = 0;
    for (int i = 0; i < 2000; ++i) {  // 10 seconds beside another program
        const bool two = governor.threads() == 2;
        full += two ? 1 : 0;
        governor.record(0.005, two ? 0.006 : 0.005);
    }
    CHECK(full > 30);   // it looked again several times
    CHECK(full < 200);  // and spent no more than a tenth of its steps on it
    for (int i = 0; i < 1000; ++i) governor.record(0.005, 0.01);
    CHECK(governor.threads() == 2);  // the other program has ended
}

TEST_CASE("of many threads it gives up the share that others take") {
    ThreadGovernor governor(16);
    governor.record(0.1, 0.1 * 16 * 0.7);
    CHECK(governor.threads() == 11);
}

TEST_CASE("a single thread has nothing to give up") {
    ThreadGovernor governor(1);
    governor.record(1, 0.01);
    CHECK(governor.threads() == 1);
}

TEST_CASE("one slow step is not a verdict") {
    ThreadGovernor governor(2);
    governor.record(0.01, 0.005);
    CHECK(governor.threads() == 2);
}

TEST_SUITE_END();
