#include "gemm/tile.hpp"

#include "gemm/bf16.hpp"
#include "gemm/features.hpp"

namespace jikji::gemm {
namespace {

constexpr int kLanes = 16;

void tile_plainly(const float* from, int stride, int columns, Bf16* to) {
    for (int row = 0; row < kLanes; ++row) {
        const float* in = from + static_cast<std::ptrdiff_t>(row) * stride;
        for (int c = 0; c < columns; ++c)
            to[(c / 2) * 2 * kTileRows + row * 2 + c % 2] = to_bf16(in[c]);
    }
}

#ifdef JIKJI_X86
// A 16 x 16 transposition of 32-bit values: pairs of rows, then of 64-bit, then of 128-bit lanes.
JIKJI_AVX512_BF16 inline void transpose(__m512i (&r)[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 8; ++i) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

JIKJI_AVX512_BF16 void tile_avx512(const float* from, int stride, int columns, Bf16* to) {
    for (int c = 0; c < columns; c += kTileDepth) {
        __m512i r[16];
        for (int row = 0; row < kLanes; ++row) {
            const float* in = from + static_cast<std::ptrdiff_t>(row) * stride + c;
            const __m512bh pair =
                _mm512_cvtne2ps_pbh(_mm512_loadu_ps(in + 16), _mm512_loadu_ps(in));
            r[row] = reinterpret_cast<const __m512i&>(pair);
        }
        transpose(r);
        for (int pair = 0; pair < 16; ++pair)
            _mm512_storeu_si512(to + (c / 2 + pair) * 2 * kTileRows, r[pair]);
    }
}
#endif

}  // namespace

void tile_rows(const float* from, int stride, int columns, Bf16* to) {
#ifdef JIKJI_X86
    if (has_avx512_bf16()) return tile_avx512(from, stride, columns, to);
#endif
    tile_plainly(from, stride, columns, to);
}

}  // namespace jikji::gemm
