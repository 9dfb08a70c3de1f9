// The steps of pass.hpp for AVX-512 without bfloat16: 32 registers of sixteen floats.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "encoder/dequantise.hpp"
#include "encoder/pass.hpp"

#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")

namespace jikji::encoder {
namespace {
constexpr int kLanes = 16;
constexpr int kTileRows = 12;
constexpr const char* kName = "avx512";
}  // namespace
}  // namespace jikji::encoder

#include "encoder/pass_float.hpp"
#include "encoder/pass_steps.hpp"

namespace jikji::encoder {
const Steps kAvx512Steps = kSteps;
}  // namespace jikji::encoder
#endif
