#pragma once
// Which samples a step learns from: a function of the seed and the step alone, so that a resumed
// run needs no state of a generator, the same on every machine. Threads: any.
#include <cstdint>
#include <vector>

namespace jikji::training {

/// All numbers below `samples`, in an order drawn by seed and epoch; or as they are.
std::vector<std::uint64_t> epoch_order(std::uint64_t samples, std::uint64_t seed,
                                       std::uint64_t epoch, bool shuffle);

}  // namespace jikji::training
