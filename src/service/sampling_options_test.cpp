#include "service/sampling_options.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "service/ranges.hpp"

namespace jikji::service {
namespace {

engine::GenerationRequest applied(const SamplingOptions& options,
                                  Defaults defaults = Defaults::kOpenAi,
                                  const GenerationSettings& settings = {}) {
    engine::GenerationRequest request;
    apply_options(options, defaults, settings, request);
    return request;
}

void refuses(const SamplingOptions& options, const std::string& field) {
    try {
        applied(options);
        FAIL_CHECK("passed: " << field);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == field);
        CHECK(error.korean() != error.what());
    }
}

struct RealCase {
    const char* field;
    std::optional<double> SamplingOptions::*member;
    std::vector<double> good, bad;
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

const RealCase kReals[] = {
    {"temperature", &SamplingOptions::temperature, {0, 0.7, 2}, {-0.01, 2.01, 1e308, -kInf}},
    {"top_p", &SamplingOptions::top_p, {0.01, 1}, {0, -1, 1.01, 1e-60}},
    {"min_p", &SamplingOptions::min_p, {0, 1}, {-0.1, 1.1}},
    {"repeat_penalty", &SamplingOptions::repeat_penalty, {0.5, 2}, {0, 2.1, 1e-60}},
    {"presence_penalty", &SamplingOptions::presence_penalty, {-2, 2}, {-2.1, 2.1}},
    {"frequency_penalty", &SamplingOptions::frequency_penalty, {-2, 2}, {-2.1, 2.1}},
};

}  // namespace

TEST_SUITE_BEGIN("sampling_options");

TEST_CASE("real numbers have ranges, and NaN and infinity are in none") {
    for (const RealCase& c : kReals) {
        CAPTURE(c.field);
        std::vector<double> bad = c.bad;
        bad.insert(bad.end(), {kNan, kInf});
        SamplingOptions options;
        for (const double value : c.good) {
            options.*c.member = value;
            CHECK_NOTHROW(applied(options));
        }
        for (const double value : bad) {
            options.*c.member = value;
            refuses(options, c.field);
        }
    }
}

TEST_CASE("whole numbers have ranges") {
    constexpr auto kLow = std::numeric_limits<std::int64_t>::min();
    constexpr auto kHigh = std::numeric_limits<std::int64_t>::max();
    for (const std::int64_t value : {kLow, std::int64_t{-1}, std::int64_t{1'000'001}, kHigh}) {
        refuses({.top_k = value}, "top_k");
    }
    for (const std::int64_t value : {kLow, std::int64_t{-1}, std::int64_t{0}, kHigh}) {
        refuses({.max_tokens = value}, "max_tokens");
    }
    CHECK(applied({.top_k = 0}).sampling.top_k == 0);
    CHECK(applied({.max_tokens = 1}).max_tokens == 1);
}

TEST_CASE("stop and logit_bias") {
    using Strings = std::vector<std::string>;
    refuses({.stop = Strings{"a", "b", "c", "d", "e"}}, "stop");
    refuses({.stop = Strings(1'000'000, "a")}, "stop");
    refuses({.stop = Strings{""}}, "stop");
    refuses({.stop = Strings{std::string(limits::kStopBytes + 1, 'a')}}, "stop");
    CHECK(applied({.stop = Strings{"a", "b", "c", "d"}}).stop.size() == 4);
    refuses({.logit_bias = {{1, 100.5}}}, "logit_bias");
    refuses({.logit_bias = {{1, kNan}}}, "logit_bias");
    CHECK(applied({.logit_bias = {{7, -100}}}).sampling.logit_bias.at(0).second == -100);
}

TEST_CASE("a message names field, value and range") {
    try {
        applied({.temperature = 3.5});
        FAIL("3.5 passed");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) == "temperature is 3.5; give a number from 0 to 2");
        CHECK(error.korean() == "temperature 값이 3.5입니다. 0 이상 2 이하의 수를 주세요.");
    }
    try {
        applied({.top_p = 0});
        FAIL("0 passed");
    } catch (const Error& error) {
        CHECK(std::string(error.what()) == "top_p is 0; give a number above 0 to 1");
        CHECK(error.korean() == "top_p 값이 0입니다. 0보다 크고 1 이하의 수를 주세요.");
    }
}

TEST_CASE("a seed of any size becomes one of 32 bits") {
    const auto folded = [](std::int64_t seed) { return *applied({.seed = seed}).sampling.seed; };
    CHECK(folded(0) == 0);
    CHECK(folded(42) == 42);
    CHECK(folded(0xFFFFFFFE) == 0xFFFFFFFE);
    for (const std::int64_t seed :
         {std::int64_t{-1}, std::int64_t{0xFFFFFFFF}, std::int64_t{1} << 53,
          std::numeric_limits<std::int64_t>::min()}) {
        CHECK(folded(seed) != 0xFFFFFFFF);  // libllama's "choose one yourself"
        CHECK(folded(seed) == folded(seed));
    }
    CHECK(folded(-1) != folded(-2));
    CHECK_FALSE(applied({}).sampling.seed);
}

TEST_CASE("defaults: OpenAI's, or the settings'") {
    GenerationSettings settings;
    settings.max_tokens = 9;
    const auto openai = applied({}, Defaults::kOpenAi, settings);
    CHECK(openai.sampling.temperature == 1);
    CHECK(openai.max_tokens == -1);
    CHECK(openai.stop.empty());
    const auto ours = applied({.top_k = 5}, Defaults::kJikji, settings);
    CHECK(ours.sampling.temperature == 0.7F);
    CHECK(ours.sampling.top_p == 0.95F);
    CHECK(ours.sampling.top_k == 5);
    CHECK(ours.sampling.repeat_penalty == 1.1F);
    CHECK(ours.max_tokens == 9);
    CHECK(ours.stop == std::vector<std::string>{"</s>", "\n\n"});
    CHECK(applied({.stop = std::vector<std::string>{}}, Defaults::kJikji, settings).stop.empty());
    settings.openai_routes = true;
    CHECK(applied({}, Defaults::kOpenAi, settings).max_tokens == 9);
}

TEST_SUITE_END();

}  // namespace jikji::service
