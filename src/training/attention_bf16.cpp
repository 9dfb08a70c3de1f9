// The steps of attention_tiles.hpp for AVX512-BF16: one instruction multiplies and adds 32 pairs
// of bfloat16.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "gemm/transpose.hpp"
#include "training/attention_tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")

namespace jikji::training {
namespace {
constexpr int kLanes = 16;
constexpr int kTileRows = 8;
constexpr int kPair = 2;

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * 4)));

inline Vec multiply_add(Vec sum, const Cell* cell, Vec x) {
    std::int32_t pair = 0;
    __builtin_memcpy(&pair, cell, sizeof pair);
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair)),
                            reinterpret_cast<__m512bh>(x));
}

inline void store_lanes(Cell* to, Vec left, Vec right) {
    const __m512bh both = _mm512_cvtne2ps_pbh(right, left);
    __builtin_memcpy(to, &both, sizeof both);
}

/// Lane i of both to cell i.
inline void store_keys(Cell* to, std::ptrdiff_t, Vec even, Vec odd) {
    const auto halves = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(odd, even));
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(halves));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(halves, 1));
    _mm512_storeu_si512(to, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}
}  // namespace
}  // namespace jikji::training

#include "training/attention_avx512.hpp"
#include "training/attention_steps.hpp"

namespace jikji::training {
const AttentionSteps kBf16Attention{"bf16", kPair, pack, forward, backward};
}  // namespace jikji::training
#endif
