#include "gemm/tile.hpp"

#include "base/cpu.hpp"
#include "gemm/bf16.hpp"
#include "gemm/features.hpp"
#include "gemm/transpose.hpp"

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
JIKJI_AVX512_BF16 void tile_avx512(const float* from, int stride, int columns, Bf16* to) {
    for (int c = 0; c < columns; c += kTileDepth) {
        __m512i r[16];
        for (int row = 0; row < kLanes; ++row) {
            const float* in = from + static_cast<std::ptrdiff_t>(row) * stride + c;
            const __m512bh pair =
                _mm512_cvtne2ps_pbh(_mm512_loadu_ps(in + 16), _mm512_loadu_ps(in));
            r[row] = reinterpret_cast<const __m512i&>(pair);
        }
        transpose_16x16(r);
        for (int pair = 0; pair < 16; ++pair)
            _mm512_storeu_si512(to + (c / 2 + pair) * 2 * kTileRows, r[pair]);
    }
}
#endif

}  // namespace

void tile_rows(const float* from, int stride, int columns, Bf16* to) {
#ifdef JIKJI_X86
    if (cpu::has_avx512_bf16()) return tile_avx512(from, stride, columns, to);
#endif
    tile_plainly(from, stride, columns, to);
}

}  // namespace jikji::gemm
