// The vector forms of interleaved.hpp. The program is compiled for any x86-64; each function here
// for what its name says, and is only called where the CPU has it.
#include "gemm/interleaved_layout.hpp"

#if defined(__x86_64__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12's own headers (PR 105593)
#include <immintrin.h>

#include <utility>

#include "base/cpu.hpp"

#define JIKJI_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define JIKJI_AVX2 __attribute__((target("avx2,fma,f16c")))

namespace jikji::gemm {
namespace {

constexpr int kLanes = kBlockColumns / 4;  // 32-bit pieces of an input block

int piece_of(const RoundedBlock& block, int piece) {
    int out = 0;
    std::memcpy(&out, block.values + 4 * piece, sizeof out);
    return out;
}

// One register: 16 rows. Piece i of the inputs meets the weights' bytes of columns 4i..4i+3.
template <BlockType type, int m>
JIKJI_AVX512 void group_avx512(const std::uint8_t* block, std::int64_t blocks,
                               const RoundedBlock* rounded, float* y, std::int64_t ldy) {
    using P = Packed<type>;
    const __m512i low = _mm512_set1_epi8(15);
    __m512 sums[m];
    for (int i = 0; i < m; ++i) sums[i] = _mm512_setzero_ps();
    for (std::int64_t b = 0; b < blocks; ++b, block += P::kBytes) {
        __m512i weights[kLanes];
        for (int j = 0; j < Layout<type>::kQuants / 4; ++j) {
            weights[j] = _mm512_loadu_si512(block + P::kQuants + 64 * j);
            if constexpr (Layout<type>::kNibbles) {
                weights[j + 4] = _mm512_and_si512(_mm512_srli_epi16(weights[j], 4), low);
                weights[j] = _mm512_and_si512(weights[j], low);
            }
        }
        const auto half = [&](int offset) JIKJI_AVX512 {
            return _mm512_cvtph_ps(
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + offset)));
        };
        const __m512 scales = half(0);
        for (int i = 0; i < m; ++i) {
            const RoundedBlock& x = rounded[i * blocks + b];
            // Two chains, so that one need not wait for the other.
            __m512i even = _mm512_set1_epi32(-Layout<type>::kZero * x.sum);
            __m512i odd = _mm512_setzero_si512();
            for (int j = 0; j < kLanes; j += 2) {
                even = _mm512_dpbusd_epi32(even, weights[j], _mm512_set1_epi32(piece_of(x, j)));
                odd =
                    _mm512_dpbusd_epi32(odd, weights[j + 1], _mm512_set1_epi32(piece_of(x, j + 1)));
            }
            const __m512 product = _mm512_cvtepi32_ps(_mm512_add_epi32(even, odd));
            const __m512 scale = _mm512_mul_ps(scales, _mm512_set1_ps(x.scale));
            sums[i] = _mm512_fmadd_ps(product, scale, sums[i]);
            if constexpr (Layout<type>::kMinima) {
                const __m512 sum = _mm512_set1_ps(x.scale * static_cast<float>(x.sum));
                sums[i] = _mm512_fmadd_ps(half(P::kMinima), sum, sums[i]);
            }
        }
    }
    for (int i = 0; i < m; ++i) _mm512_storeu_ps(y + i * ldy, sums[i]);
}

// Two registers: 8 rows each. 8 products of pairs, at most 2 · 15 · 127 each, fit 16 bits.
template <BlockType type, int m>
JIKJI_AVX2 void group_avx2(const std::uint8_t* group, std::int64_t blocks,
                           const RoundedBlock* rounded, float* y, std::int64_t ldy) {
    using P = Packed<type>;
    static_assert(Layout<type>::kNibbles);
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i ones = _mm256_set1_epi16(1);
    for (int side = 0; side < 2; ++side) {
        const std::uint8_t* block = group;
        __m256 sums[m];
        for (int i = 0; i < m; ++i) sums[i] = _mm256_setzero_ps();
        for (std::int64_t b = 0; b < blocks; ++b, block += P::kBytes) {
            __m256i pairs[m];
            for (int i = 0; i < m; ++i) pairs[i] = _mm256_setzero_si256();
            for (int j = 0; j < kLanes / 2; ++j) {
                const __m256i both = _mm256_loadu_si256(
                    reinterpret_cast<const __m256i*>(block + P::kQuants + 64 * j + 32 * side));
                const __m256i first = _mm256_and_si256(both, low);
                const __m256i second = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
                for (int i = 0; i < m; ++i) {
                    const RoundedBlock& x = rounded[i * blocks + b];
                    pairs[i] = _mm256_add_epi16(
                        pairs[i],
                        _mm256_add_epi16(
                            _mm256_maddubs_epi16(first, _mm256_set1_epi32(piece_of(x, j))),
                            _mm256_maddubs_epi16(second, _mm256_set1_epi32(piece_of(x, j + 4)))));
                }
            }
            const auto half = [&](int offset) JIKJI_AVX2 {
                return _mm256_cvtph_ps(
                    _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + offset + 16 * side)));
            };
            const __m256 scales = half(0);
            for (int i = 0; i < m; ++i) {
                const RoundedBlock& x = rounded[i * blocks + b];
                const __m256i whole =
                    _mm256_sub_epi32(_mm256_madd_epi16(pairs[i], ones),
                                     _mm256_set1_epi32(Layout<type>::kZero * x.sum));
                const __m256 scale = _mm256_mul_ps(scales, _mm256_set1_ps(x.scale));
                sums[i] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(whole), scale, sums[i]);
                if constexpr (Layout<type>::kMinima) {
                    const __m256 sum = _mm256_set1_ps(x.scale * static_cast<float>(x.sum));
                    sums[i] = _mm256_fmadd_ps(half(P::kMinima), sum, sums[i]);
                }
            }
        }
        for (int i = 0; i < m; ++i) _mm256_storeu_ps(y + i * ldy + 8 * side, sums[i]);
    }
}

template <BlockType type>
GroupKernel pick_avx512(int m) {
    constexpr GroupKernel kernels[kRowsMax] = {group_avx512<type, 1>, group_avx512<type, 2>,
                                               group_avx512<type, 3>, group_avx512<type, 4>};
    return kernels[m - 1];
}

template <BlockType type>
GroupKernel pick_avx2(int m) {
    constexpr GroupKernel kernels[kRowsMax] = {group_avx2<type, 1>, group_avx2<type, 2>,
                                               group_avx2<type, 3>, group_avx2<type, 4>};
    return kernels[m - 1];
}

JIKJI_AVX2 float largest_of(const __m256 (&parts)[4]) {
    const __m256 sign = _mm256_set1_ps(-0.0F);
    __m256 out = _mm256_setzero_ps();
    for (const __m256& part : parts) out = _mm256_max_ps(out, _mm256_andnot_ps(sign, part));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(out), _mm256_extractf128_ps(out, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

JIKJI_AVX2 void round_block(const float* x, RoundedBlock& out) {
    __m256 parts[4];
    for (int i = 0; i < 4; ++i) parts[i] = _mm256_loadu_ps(x + 8 * i);
    const float largest = largest_of(parts);
    out.scale = largest / 127.0F;
    const __m256 inverse = _mm256_set1_ps(largest > 0 ? 127.0F / largest : 0);
    __m256i whole[4];
    for (int i = 0; i < 4; ++i) {
        whole[i] = _mm256_cvtps_epi32(_mm256_mul_ps(parts[i], inverse));
    }
    // Packing works in halves of the register: put the pieces back into their order.
    const __m256i packed =
        _mm256_permutevar8x32_epi32(_mm256_packs_epi16(_mm256_packs_epi32(whole[0], whole[1]),
                                                       _mm256_packs_epi32(whole[2], whole[3])),
                                    _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.values), packed);
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(whole[0], whole[1]),
                                         _mm256_add_epi32(whole[2], whole[3]));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    out.sum = _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
}

JIKJI_AVX2 void round_blocks(const float* x, std::int64_t k, RoundedBlock* out) {
    for (std::int64_t b = 0; b < k / kBlockColumns; ++b) round_block(x + b * kBlockColumns, out[b]);
}

}  // namespace

bool round_row_avx2(const float* x, std::int64_t k, RoundedBlock* out) {
    if (!cpu::has_avx2()) return false;
    round_blocks(x, k, out);
    return true;
}

GroupKernel avx512_kernel(BlockType type, int m) {
    if (!cpu::has_avx512_vnni()) return nullptr;
    if (type == BlockType::kQ4_0) return pick_avx512<BlockType::kQ4_0>(m);
    if (type == BlockType::kQ4_1) return pick_avx512<BlockType::kQ4_1>(m);
    return pick_avx512<BlockType::kQ8_0>(m);
}

GroupKernel avx2_kernel(BlockType type, int m) {
    if (!cpu::has_avx2()) return nullptr;
    if (type == BlockType::kQ4_0) return pick_avx2<BlockType::kQ4_0>(m);
    if (type == BlockType::kQ4_1) return pick_avx2<BlockType::kQ4_1>(m);
    return nullptr;
}

}  // namespace jikji::gemm

#else

namespace jikji::gemm {
GroupKernel avx512_kernel(BlockType, int) { return nullptr; }
GroupKernel avx2_kernel(BlockType, int) { return nullptr; }
bool round_row_avx2(const float*, std::int64_t, RoundedBlock*) { return false; }
}  // namespace jikji::gemm

#endif
