#pragma once
// What can be said of an answer without a judge (mission.md S16). Threads: any; pure.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace jikji::evaluation {

struct Quality {
    std::size_t length = 0;           // code points
    bool has_code = false;            // a ``` fence
    bool politeness = false;          // 감사, 죄송 or 안녕
    std::optional<double> relevance;  // 0..1, against an expected answer; nothing without one
};

/// The longest texts that are compared, in bytes (see relevance.hpp for why).
inline constexpr std::size_t kCompareBytes = 64 * 1024;

/// Throws Error(kTooLarge) on `response` or `expected` if one is longer than kCompareBytes and both
/// are to be compared.
Quality quality_of(std::string_view response, std::optional<std::string_view> expected = {});

}  // namespace jikji::evaluation
