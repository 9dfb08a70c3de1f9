// The kernels of kernels.hpp for AVX-512: 32 registers of sixteen floats.
#include <cstddef>
#include <cstdint>

#include "training/kernels.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")

namespace jikji::training {
namespace {
constexpr int kLanes = 16;
constexpr int kTileRank = 8;
constexpr const char* kName = "avx512";
}  // namespace
}  // namespace jikji::training

#include "training/kernels_steps.hpp"

namespace jikji::training {
const Kernels kAvx512Kernels = kAll;
}  // namespace jikji::training
#endif
