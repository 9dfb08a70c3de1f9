#pragma once
// The integers from one to another as GBNF.
#include <cstdint>
#include <optional>
#include <string>

namespace jikji::llama {

/// Digits beyond which nothing is written where there is no bound.
inline constexpr int kMostDigits = 16;

/// Inclusive; nothing = no bound. Requires: least <= most, both within ±10^18.
std::string integer_grammar(std::optional<std::int64_t> least, std::optional<std::int64_t> most);

}  // namespace jikji::llama
