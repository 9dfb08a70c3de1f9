#include "service/ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::service {
namespace {

constexpr Range kRanges[] = {
    {"temperature", 0, 2},          {"top_p", 0, 1, true},
    {"top_k", 0, 1'000'000},        {"min_p", 0, 1},
    {"repeat_penalty", 0, 2, true}, {"presence_penalty", -2, 2},
    {"frequency_penalty", -2, 2},   {"max_tokens", 1, limits::kMaxTokens},
    {"logit_bias", -100, 100},
};

[[noreturn]] void throw_outside(const Range& range, const std::string& value) {
    const auto low = static_cast<std::int64_t>(range.low);
    const auto high = static_cast<std::int64_t>(range.high);
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}; give a number {} {} to {}", range.field, value,
                            range.above_low ? "above" : "from", low, high),
                std::string(range.field),
                fmt::format("{} 값이 {}입니다. {}{} {} 이하의 수를 주세요.", range.field, value,
                            low, range.above_low ? "보다 크고" : " 이상", high));
}

[[noreturn]] void throw_stop(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, english, "stop", korean);
}

}  // namespace

const Range& range_of(std::string_view field) {
    const auto* found = std::find_if(std::begin(kRanges), std::end(kRanges),
                                     [field](const Range& range) { return range.field == field; });
    JIKJI_CHECK(found != std::end(kRanges));
    return *found;
}

double check_range(std::string_view field, double value) {
    const Range& range = range_of(field);
    const bool inside = std::isfinite(value) && value >= range.low && value <= range.high &&
                        !(range.above_low && value == range.low);
    if (!inside) throw_outside(range, fmt::format("{}", value));
    return value;
}

std::int64_t check_range(std::string_view field, std::int64_t value) {
    const Range& range = range_of(field);
    const auto low = static_cast<std::int64_t>(range.low);
    const auto high = static_cast<std::int64_t>(range.high);
    if (value < low || value > high) throw_outside(range, fmt::format("{}", value));
    return value;
}

void check_stop(const std::vector<std::string>& stop) {
    if (stop.size() > static_cast<std::size_t>(limits::kStopStrings)) {
        throw_stop(
            fmt::format("stop has {} strings; give at most {}", stop.size(), limits::kStopStrings),
            fmt::format("stop에 문자열이 {}개 있습니다. {}개까지 줄 수 있습니다.", stop.size(),
                        limits::kStopStrings));
    }
    for (const std::string& one : stop) {
        if (one.empty()) {
            throw_stop("stop holds an empty string; leave it out, or give the text to stop at",
                       "stop에 빈 문자열이 있습니다. 빼거나 멈출 글을 주세요.");
        }
        if (one.size() > limits::kStopBytes) {
            throw_stop(
                fmt::format("stop holds a string of {} bytes; give at most {}", one.size(),
                            limits::kStopBytes),
                fmt::format("stop에 {}바이트 문자열이 있습니다. {}바이트까지 줄 수 있습니다.",
                            one.size(), limits::kStopBytes));
        }
    }
}

}  // namespace jikji::service
