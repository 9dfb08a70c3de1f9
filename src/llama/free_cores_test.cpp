#include "llama/free_cores.hpp"

#include <doctest/doctest.h>

using namespace jikji::llama;

TEST_SUITE_BEGIN("free_cores");

TEST_CASE("/proc/stat's first line becomes ticks") {
    const auto ticks = parse_cpu_ticks(
        "cpu  100 20 30 800 40 5 6 7 0 0\ncpu0 50 10 15 400 20 2 3 3 0 0\nintr 1\n");
    REQUIRE(ticks.has_value());
    CHECK(ticks->busy == 141);         // user system irq softirq
    CHECK(ticks->nice == 20);          // stands back for us
    CHECK(ticks->total == 161 + 847);  // and idle, waiting, stolen
    for (const char* wrong :
         {"", "cpu", "cpu  1 2 3\n", "intr 1 2 3 4 5 6 7 8\n", "cpu  a b c d e f g h\n"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_cpu_ticks(wrong).has_value());
    }
}

TEST_CASE("threads are those that others leave, and never none") {
    struct Case {
        int threads, processors;
        double others;
        int want;
    };
    for (const Case& c : {Case{2, 2, 0.0, 2},
                          {2, 2, 0.3, 2},
                          {2, 2, 0.7, 1},
                          {2, 2, 2.0, 1},
                          {8, 16, 0.5, 8},
                          {8, 16, 8.4, 8},
                          {8, 16, 12.0, 4},
                          {1, 1, 1.0, 1}}) {
        CAPTURE(c.others);
        CHECK(threads_beside(c.threads, c.processors, c.others) == c.want);
    }
}

TEST_CASE("this machine can be looked at") {
    FreeCores cores(2);
    const int now = cores.threads();
    CHECK(now >= 1);
    CHECK(now <= 2);
    CHECK(FreeCores(1).threads() == 1);
}

TEST_SUITE_END();
