#include "llama/integer_grammar.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace jikji::llama {
namespace {

std::string digits(std::size_t count) {
    return count == 0 ? std::string() : fmt::format(" [0-9]{{{}}}", count);
}

/// Numbers from `low` to `high`, which have equally many digits.
std::string same_length(const std::string& low, const std::string& high) {
    if (low.empty()) return "\"\"";
    const std::string low_rest = low.substr(1);
    const std::string high_rest = high.substr(1);
    if (low[0] == high[0]) {
        return fmt::format("\"{}\" ({})", low[0], same_length(low_rest, high_rest));
    }
    const std::string nines(low_rest.size(), '9');
    const std::string zeros(low_rest.size(), '0');
    std::string out = fmt::format("\"{}\" ({})", low[0], same_length(low_rest, nines));
    if (low_rest == zeros) out = fmt::format("\"{}\"{}", low[0], digits(low_rest.size()));
    if (high[0] - low[0] > 1) {
        out += fmt::format(" | [{}-{}]{}", static_cast<char>(low[0] + 1),
                           static_cast<char>(high[0] - 1), digits(low_rest.size()));
    }
    if (high_rest == nines) return out + fmt::format(" | \"{}\"{}", high[0], digits(zeros.size()));
    return out + fmt::format(" | \"{}\" ({})", high[0], same_length(zeros, high_rest));
}

std::string from_to(std::uint64_t least, std::uint64_t most) {
    std::string out;
    std::string low = std::to_string(least);
    const std::string high = std::to_string(most);
    while (low.size() <= high.size()) {
        const std::string top = low.size() == high.size() ? high : std::string(low.size(), '9');
        out.append(out.empty() ? "" : " | ").append(same_length(low, top));
        low.assign(low.size() + 1, '0');
        low[0] = '1';
    }
    return out;
}

}  // namespace

std::string integer_grammar(std::optional<std::int64_t> least, std::optional<std::int64_t> most) {
    std::int64_t unbounded = 1;
    for (int i = 0; i < kMostDigits; ++i) unbounded *= 10;
    --unbounded;
    const std::int64_t low = least ? *least : std::min(-unbounded, most.value_or(0));
    const std::int64_t high = most ? *most : std::max(unbounded, least.value_or(0));
    std::string out;
    if (low < 0) {
        const auto nearest = static_cast<std::uint64_t>(high < 0 ? -high : 1);
        out = fmt::format("\"-\" ({})", from_to(nearest, static_cast<std::uint64_t>(-low)));
    }
    if (high >= 0) {
        out.append(out.empty() ? "" : " | ");
        out.append(from_to(static_cast<std::uint64_t>(std::max<std::int64_t>(low, 0)),
                           static_cast<std::uint64_t>(high)));
    }
    return "(" + out + ")";
}

}  // namespace jikji::llama
