// The kernels of kernels.hpp for AVX2 and FMA: sixteen registers of eight floats.
#include <cstddef>
#include <cstdint>

#include "training/kernels.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")

namespace jikji::training {
namespace {
constexpr int kLanes = 8;
constexpr int kTileRank = 4;
constexpr const char* kName = "avx2";
}  // namespace
}  // namespace jikji::training

#include "training/kernels_steps.hpp"

namespace jikji::training {
const Kernels kAvx2Kernels = kAll;
}  // namespace jikji::training
#endif
