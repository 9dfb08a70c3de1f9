// The steps of attention_tiles.hpp for AVX2 and FMA: sixteen registers of eight floats.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "training/attention_tiles.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx2,fma")

namespace jikji::training {
namespace {
constexpr int kLanes = 8;
constexpr int kTileRows = 4;

/// Pairs of rows, then of 64-bit values, then of 128-bit lanes.
inline void transpose_8x8(const Cell* from, int columns, Cell* to, int rows) {
    __m256 r[8];
    __m256 t[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * columns);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        _mm256_storeu_ps(to + i * rows, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(to + (i + 4) * rows, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

void transpose(const Cell* from, int rows, int columns, Cell* to) {
    for (int row = 0; row < rows; row += 8) {
        for (int column = 0; column < columns; column += 8) {
            transpose_8x8(from + row * columns + column, columns, to + column * rows + row, rows);
        }
    }
}
}  // namespace
}  // namespace jikji::training

#include "training/attention_float.hpp"
#include "training/attention_steps.hpp"

namespace jikji::training {
const AttentionSteps kAvx2Attention{"avx2", kPair, pack, forward, backward};
}  // namespace jikji::training
#endif
