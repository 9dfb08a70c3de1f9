// The steps of attention_tiles.hpp for AVX-512: thirty-two registers of sixteen floats.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "gemm/transpose.hpp"
#include "training/attention_tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")

namespace jikji::training {
namespace {
constexpr int kLanes = 16;
constexpr int kTileRows = 8;
}  // namespace
}  // namespace jikji::training

#include "training/attention_avx512.hpp"
#include "training/attention_float.hpp"
#include "training/attention_steps.hpp"

namespace jikji::training {
const AttentionSteps kAvx512Attention{"avx512", kPair, pack, forward, backward};
}  // namespace jikji::training
#endif
