#pragma once
// Which values dropout leaves out: a function of where a value stands, so that nothing is stored,
// packing changes nothing, and a resumed run drops what the first one did. Threads: any.
#include <cstdint>

#include "training/lora.hpp"
#include "training/pass.hpp"

namespace jikji::training {

/// Of one row of one module's input; two halves, both random.
struct DropRow {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
};

/// Steele et al. 2014, doi:10.1145/2660193.2660195: every bit of x changes half of the result's.
constexpr std::uint64_t mixed(std::uint64_t x) {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

constexpr DropRow drop_row(const DropoutKey& key, int layer, Module module, std::uint64_t sample,
                           int position) {
    const auto place = static_cast<std::uint64_t>(layer * kModules + static_cast<int>(module));
    std::uint64_t x = mixed(key.seed);
    x = mixed(x ^ key.step);
    x = mixed(x ^ sample);
    x = mixed(x ^ (place << 32 | static_cast<std::uint32_t>(position)));
    return {static_cast<std::uint32_t>(x), static_cast<std::uint32_t>(x >> 32)};
}

/// Uniform in 0 to 2^32 - 1. The vector kernels (kernels_steps.hpp) compute the same.
constexpr std::uint32_t drop_bits(DropRow row, std::uint32_t column) {
    std::uint32_t x = column * 0x9e3779b9U + row.first;
    x = (x ^ (x >> 16)) * 0x7feb352dU + row.second;
    x = (x ^ (x >> 15)) * 0x846ca68bU;
    return x ^ (x >> 16);
}

/// A value goes if its bits are below this.
constexpr std::uint32_t drop_threshold(float probability) {
    return static_cast<std::uint32_t>(static_cast<double>(probability) * 4294967296.0);
}

}  // namespace jikji::training
