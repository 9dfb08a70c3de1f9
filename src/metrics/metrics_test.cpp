#include <doctest/doctest.h>

#include <cmath>
#include <thread>

#include "base/error.hpp"
#include "metrics/prometheus.hpp"

namespace jikji::metrics {

TEST_SUITE_BEGIN("metrics");

TEST_CASE("the text is sorted, escaped and complete") {
    Registry registry;
    registry.gauge("queue", "waiting\nin \\ line").set(2);
    registry.counter("answers_total", "how \"many\"", {{"model", "b"}}).add();
    registry.counter("answers_total", "how \"many\"", {{"model", "a\"\\\n"}}).add(2.5);
    Histogram& seconds = registry.histogram("seconds", "time", {0.5, 1});
    for (const double value : {0.25, 0.5, 0.75, 8.0}) seconds.observe(value);
    CHECK(prometheus_text(registry) ==
          "# HELP answers_total how \"many\"\n"
          "# TYPE answers_total counter\n"
          "answers_total{model=\"a\\\"\\\\\\n\"} 2.5\n"
          "answers_total{model=\"b\"} 1\n"
          "# HELP queue waiting\\nin \\\\ line\n"
          "# TYPE queue gauge\n"
          "queue 2\n"
          "# HELP seconds time\n"
          "# TYPE seconds histogram\n"
          "seconds_bucket{le=\"0.5\"} 2\n"
          "seconds_bucket{le=\"1\"} 3\n"
          "seconds_bucket{le=\"+Inf\"} 4\n"
          "seconds_sum 9.5\n"
          "seconds_count 4\n");
}

TEST_CASE("numbers that are none have names") {
    Registry registry;
    registry.gauge("a", "").set(std::nan(""));
    registry.gauge("b", "").set(-INFINITY);
    Histogram& histogram = registry.histogram("c", "", {1});
    histogram.observe(std::nan(""));
    const std::string text = prometheus_text(registry);
    CHECK(text.find("\na NaN\n") != std::string::npos);
    CHECK(text.find("\nb -Inf\n") != std::string::npos);
    CHECK(text.find("c_count 0\n") != std::string::npos);
}

TEST_CASE("the same name and labels are the same metric") {
    Registry registry;
    Counter& one = registry.counter("x_total", "", {{"k", "v"}});
    CHECK(&one == &registry.counter("x_total", "", {{"k", "v"}}));
    CHECK(&one != &registry.counter("x_total", "", {{"k", "w"}}));
    CHECK_THROWS_AS(registry.gauge("x_total", ""), Error);
    CHECK_THROWS_AS(registry.counter("1x", ""), Error);
    CHECK_THROWS_AS(registry.counter("x total", ""), Error);
    CHECK_THROWS_AS(registry.counter("y", "", {{"le", "1"}}), Error);
}

TEST_CASE("no count is lost between threads") {
    Registry registry;
    constexpr int kThreads = 4, kCounts = 20'000;
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&registry] {
            Counter& counter = registry.counter("n_total", "");
            Histogram& histogram = registry.histogram("h", "", {0.5, 1.5});
            for (int i = 0; i < kCounts; ++i) {
                counter.add();
                histogram.observe(i % 3);
            }
        });
    }
    threads.clear();
    CHECK(registry.counter("n_total", "").value() == kThreads * kCounts);
    const auto snapshot = registry.histogram("h", "", {0.5, 1.5}).snapshot();
    CHECK(snapshot.cumulative.back() == kThreads * kCounts);
    CHECK(snapshot.cumulative[0] == kThreads * ((kCounts + 2) / 3));
}

TEST_SUITE_END();

}  // namespace jikji::metrics
