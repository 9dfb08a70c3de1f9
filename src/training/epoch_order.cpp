#include "training/epoch_order.hpp"

#include <numeric>
#include <utility>

namespace jikji::training {
namespace {

/// Steele, Lea & Flood 2014 (SplitMix64): a counter, and a mix of its bits.
std::uint64_t mix(std::uint64_t z) {
    z += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

/// 0 to below `limit`; its bias is below limit / 2^32, which no order of samples shows.
std::uint64_t below(std::uint64_t limit, std::uint64_t random) {
    return ((random >> 32) * limit) >> 32;
}

}  // namespace

std::vector<std::uint64_t> epoch_order(std::uint64_t samples, std::uint64_t seed,
                                       std::uint64_t epoch, bool shuffle) {
    std::vector<std::uint64_t> order(samples);
    std::iota(order.begin(), order.end(), std::uint64_t{0});
    if (!shuffle) return order;
    const std::uint64_t key = mix(mix(seed) + epoch);
    for (std::uint64_t left = samples; left > 1; --left) {  // Fisher and Yates
        std::swap(order[left - 1], order[below(left, mix(key + left))]);
    }
    return order;
}

}  // namespace jikji::training
