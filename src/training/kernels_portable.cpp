// The kernels of kernels.hpp for any CPU that GCC's vectors are for (on x86-64: SSE2, sixteen
// registers).
#include <cstddef>
#include <cstdint>

#include "training/kernels.hpp"

namespace jikji::training {
namespace {
constexpr int kLanes = 4;
constexpr int kTileRank = 4;
constexpr const char* kName = "portable";
}  // namespace
}  // namespace jikji::training

#include "training/kernels_steps.hpp"

namespace jikji::training {
const Kernels kPortableKernels = kAll;
}  // namespace jikji::training
