// The steps of pass.hpp for AVX2 and FMA: sixteen registers of eight floats.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "encoder/dequantise.hpp"
#include "encoder/pass.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx2,fma")

namespace jikji::encoder {
namespace {
constexpr int kLanes = 8;
constexpr int kTileRows = 6;
constexpr const char* kName = "avx2";
}  // namespace
}  // namespace jikji::encoder

#include "encoder/pass_float.hpp"
#include "encoder/pass_steps.hpp"

namespace jikji::encoder {
const Steps kAvx2Steps = kSteps;
}  // namespace jikji::encoder
#endif
