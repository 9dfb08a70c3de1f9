#include "base/progress.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

namespace jikji {
namespace {

using namespace std::chrono_literals;

struct Screen {
    char* text = nullptr;
    std::size_t size = 0;
    std::FILE* stream = ::open_memstream(&text, &size);
    std::chrono::steady_clock::time_point now{};

    ~Screen() {
        std::fclose(stream);
        std::free(text);
    }
    ProgressOptions options(ProgressStyle style) {
        return {.stream = stream,
                .style = style,
                .columns = 80,
                .bar_every = 100ms,
                .line_every = 3000ms,
                .now = [this] { return now; }};
    }
    std::string shown() {
        std::fflush(stream);
        return {text, size};
    }
};

TEST_SUITE_BEGIN("progress");

TEST_CASE("columns are those of a terminal") {
    CHECK(display_columns("abc") == 3);
    CHECK(display_columns("한글") == 4);
    CHECK(display_columns("e\u0301") == 1);
    CHECK(display_columns("\xff\xfe") == 2);
    CHECK(fit_columns("한글", 3) == "한 ");
    CHECK(fit_columns("한글", 6) == "한글  ");
    CHECK(fit_columns("", 2) == "  ");
}

TEST_CASE("sizes read well") {
    CHECK(bytes_for_people(999) == "999 B");
    CHECK(bytes_for_people(1'500'000) == "1.5 MB");
    CHECK(bytes_for_people(999'999) == "1.0 MB");
    CHECK(bytes_for_people(4'368'439'584) == "4.4 GB");
}

TEST_CASE("in a pipe a line comes every few seconds and at the end") {
    Screen screen;
    {
        Progress progress("모델", 10'000'000, ProgressUnit::kBytes,
                          screen.options(ProgressStyle::kLines));
        for (std::uint64_t second = 1; second <= 7; ++second) {
            screen.now += 1s;
            progress.update(second * 1'000'000);
        }
        progress.finish();
    }
    CHECK(screen.shown() ==
          "모델: 3.0 MB / 10.0 MB  30%  1.0 MB/s  -0:07\n"
          "모델: 6.0 MB / 10.0 MB  60%  1.0 MB/s  -0:04\n"
          "모델: 7.0 MB in 0:07\n");
}

TEST_CASE("what a job says of itself stands in place of rate and time left") {
    Screen screen;
    Progress progress("step", 10, ProgressUnit::kItems, screen.options(ProgressStyle::kLines));
    progress.describe("-0:20  loss 2.31");
    screen.now += 5s;
    progress.update(5);
    CHECK(screen.shown() == "step: 5 / 10  50%  -0:20  loss 2.31\n");
}

TEST_CASE("a line above the bar covers it, and the bar comes again") {
    Screen screen;
    {
        Progress progress("x", 4, ProgressUnit::kItems, screen.options(ProgressStyle::kBar));
        progress.update(1);
        progress.say("half");
        progress.update(2);
    }
    const std::string shown = screen.shown();
    const std::size_t said = shown.find("\rhalf ");
    REQUIRE(said != std::string::npos);
    CHECK(shown.find("\rx  [", said) != std::string::npos);
}

TEST_CASE("what an earlier run did is not in the rate") {
    Screen screen;
    Progress progress("x", 100, ProgressUnit::kItems, screen.options(ProgressStyle::kLines));
    progress.resume_from(50);
    screen.now += 5s;
    progress.update(60);
    CHECK(screen.shown() == "x: 60 / 100  60%  2.0/s  -0:20\n");
}

TEST_CASE("a bar keeps within the terminal and clears what was there") {
    Screen screen;
    Progress progress("파일을 읽는 중", 10, ProgressUnit::kItems,
                      screen.options(ProgressStyle::kBar));
    screen.now += 1s;
    progress.update(5);
    const std::string bar = screen.shown();
    REQUIRE(bar.front() == '\r');
    CHECK(bar.find("[###############...............]") != std::string::npos);
    CHECK(display_columns(std::string_view(bar).substr(1)) == 79);
    progress.finish("끝");
    const std::string last = screen.shown().substr(bar.size());
    CHECK(last.back() == '\n');
    CHECK(display_columns(last) - 2 == 79);  // all but \r and \n
}

TEST_CASE("an unknown total shows what is done, and silence shows nothing") {
    Screen screen;
    Progress lines("x", 0, ProgressUnit::kItems, screen.options(ProgressStyle::kLines));
    Progress silent("y", 5, ProgressUnit::kItems, screen.options(ProgressStyle::kSilent));
    screen.now += 4s;
    lines.update(8);
    silent.update(5);
    silent.finish("done");
    CHECK(screen.shown() == "x: 8  2.0/s\n");
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji
