#include "gemm/attention_avx512.hpp"

#if defined(__x86_64__)

#include <cstring>

namespace jikji::gemm {
namespace {

constexpr int kStep = 8;     // keys, or columns of v, whose sums are in registers at the same time
using Pair = std::uint32_t;  // two bfloat16 that a product takes together

JIKJI_AVX512_INLINE __m512bh broadcast(const Pair* pair) {
    return (__m512bh)_mm512_set1_epi32(static_cast<int>(*pair));
}

JIKJI_AVX512_INLINE __m512bh load_pairs(const Pair* pairs) {
    return (__m512bh)_mm512_loadu_si512(pairs);
}

template <int kVectors>
JIKJI_AVX512 void scores_of(const AttentionBlock& b) {
    const int pairs = b.dim / 2;
    const auto* q = static_cast<const Pair*>(b.q);
    for (int key = 0; key < kAttentionKeys; key += kStep) {
        const Pair* k = static_cast<const Pair*>(b.k) + static_cast<std::ptrdiff_t>(key) * pairs;
        __m512 sum[kStep][kVectors];
        for (auto& row : sum) {
            for (auto& s : row) s = _mm512_setzero_ps();
        }
        for (int d = 0; d < pairs; ++d) {
            __m512bh lanes[kVectors];
            for (int v = 0; v < kVectors; ++v) lanes[v] = load_pairs(q + (d * kVectors + v) * 16);
#pragma GCC unroll 8
            for (int i = 0; i < kStep; ++i) {
                const __m512bh pair = broadcast(k + i * pairs + d);
                for (int v = 0; v < kVectors; ++v) {
                    sum[i][v] = _mm512_dpbf16_ps(sum[i][v], lanes[v], pair);
                }
            }
        }
        float* out = b.scores + key * kVectors * 16;
        for (int i = 0; i < kStep; ++i) {
            for (int v = 0; v < kVectors; ++v) {
                _mm512_storeu_ps(out + (i * kVectors + v) * 16, sum[i][v]);
            }
        }
    }
}

// Scale, cap and bias, where a block needs more than the scale.
JIKJI_AVX512 void finish_scores(const AttentionBlock& b) {
    const __m512 slope = _mm512_set1_ps(b.slope);
    const __m512 cap = _mm512_set1_ps(b.softcap);
    const __m512 scale = _mm512_set1_ps(b.softcap > 0 ? b.scale / b.softcap : b.scale);
    for (int i = 0; i < kAttentionKeys * b.lanes; i += 16) {
        __m512 s = _mm512_mul_ps(_mm512_loadu_ps(b.scores + i), scale);
        if (b.softcap > 0) s = _mm512_mul_ps(cap, tanh_of(s));
        if (b.bias) s = _mm512_fmadd_ps(slope, _mm512_loadu_ps(b.bias + i), s);
        _mm512_storeu_ps(b.scores + i, s);
    }
}

// e^(score - top) of one vector of queries, as pairs of bfloat16; the state's top and sum.
// Returns what everything summed before is to be multiplied by.
JIKJI_AVX512_INLINE __m512 weigh(const AttentionBlock& b, const AttentionState& state, int lane,
                                 float scale) {
    const float* scores = b.scores + lane;
    __m512 top = _mm512_set1_ps(kLogitFloor * 1e6f);
    for (int key = 0; key < kAttentionKeys; ++key) {
        top = _mm512_max_ps(top, _mm512_loadu_ps(scores + key * b.lanes));
    }
    const __m512 old = _mm512_loadu_ps(state.top + lane);
    top = _mm512_max_ps(old, _mm512_mul_ps(top, _mm512_set1_ps(scale)));
    _mm512_storeu_ps(state.top + lane, top);

    const __m512 log2e = _mm512_set1_ps(kLog2e);
    const __m512 base = _mm512_mul_ps(top, log2e);
    const __m512 factor = _mm512_set1_ps(scale * kLog2e);
    const __m512i interleave =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    auto* weights = static_cast<Pair*>(b.weights) + lane;
    __m512 even = _mm512_setzero_ps();
    __m512 odd = _mm512_setzero_ps();
    for (int key = 0; key < kAttentionKeys; key += 2) {
        const float* s = scores + key * b.lanes;
        const __m512 w0 = exp2_of(_mm512_fmsub_ps(_mm512_loadu_ps(s), factor, base));
        const __m512 w1 = exp2_of(_mm512_fmsub_ps(_mm512_loadu_ps(s + b.lanes), factor, base));
        even = _mm512_add_ps(even, w0);
        odd = _mm512_add_ps(odd, w1);
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(w1, w0);
        _mm512_storeu_si512(weights + key / 2 * b.lanes,
                            _mm512_permutexvar_epi16(interleave, both));
    }
    const __m512 shrink = exp2_of(_mm512_mul_ps(_mm512_sub_ps(old, top), log2e));
    const __m512 sum =
        _mm512_fmadd_ps(_mm512_loadu_ps(state.sum + lane), shrink, _mm512_add_ps(even, odd));
    _mm512_storeu_ps(state.sum + lane, sum);
    return shrink;
}

template <int kVectors>
JIKJI_AVX512_INLINE void add_values(const AttentionBlock& b, float* o, const __m512* shrink) {
    const auto* weights = static_cast<const Pair*>(b.weights);
    for (int d = 0; d < b.dim_v; d += kStep) {
        const Pair* v = static_cast<const Pair*>(b.v) + d;
        float* out = o + d * kVectors * 16;
        __m512 sum[kStep][kVectors];
        for (int i = 0; i < kStep; ++i) {
            for (int n = 0; n < kVectors; ++n) {
                sum[i][n] =
                    _mm512_mul_ps(_mm512_loadu_ps(out + (i * kVectors + n) * 16), shrink[n]);
            }
        }
        for (int key = 0; key < kAttentionKeys / 2; ++key) {
            __m512bh lanes[kVectors];
            for (int n = 0; n < kVectors; ++n) {
                lanes[n] = load_pairs(weights + (key * kVectors + n) * 16);
            }
#pragma GCC unroll 8
            for (int i = 0; i < kStep; ++i) {
                const __m512bh pair = broadcast(v + key * b.dim_v + i);
                for (int n = 0; n < kVectors; ++n) {
                    sum[i][n] = _mm512_dpbf16_ps(sum[i][n], lanes[n], pair);
                }
            }
        }
        for (int i = 0; i < kStep; ++i) {
            for (int n = 0; n < kVectors; ++n) {
                _mm512_storeu_ps(out + (i * kVectors + n) * 16, sum[i][n]);
            }
        }
    }
}

template <int kVectors>
JIKJI_AVX512 void attend_lanes(const AttentionBlock& b, const AttentionState& state) {
    scores_of<kVectors>(b);
    const bool plain = !b.bias && !(b.softcap > 0);
    if (!plain) finish_scores(b);
    __m512 shrink[kVectors];
    for (int v = 0; v < kVectors; ++v) {
        shrink[v] = weigh(b, state, v * 16, plain ? b.scale : 1.0f);
    }
    add_values<kVectors>(b, state.o, shrink);
}

void attend(const AttentionBlock& b, const AttentionState& state) {
    b.lanes == 32 ? attend_lanes<2>(b, state) : attend_lanes<1>(b, state);
}

// dim is a multiple of 8: the last 8 columns may want half a vector.
JIKJI_AVX512_INLINE __m512 load8(const std::byte* row, Element type, int at) {
    alignas(64) std::byte buffer[64] = {};
    std::memcpy(buffer, row + at * (type == Element::kF32 ? 4 : 2),
                type == Element::kF32 ? 32 : 16);
    return load16(buffer, type, 0);
}

JIKJI_AVX512_INLINE __m256i rounded(const std::byte* row, Element type, int at, int dim) {
    const __m512 x = at + 16 <= dim ? load16(row, type, at) : load8(row, type, at);
    return (__m256i)_mm512_cvtneps_pbh(x);
}

JIKJI_AVX512 void store(std::uint16_t* out, __m256i x, bool whole) {
    if (whole) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), x);
    } else {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(x));
    }
}

JIKJI_AVX512 void pack_k(const HeadRows& k, const std::byte* first, int rows, void* out) {
    auto* to = static_cast<std::uint16_t*>(out);
    for (int row = 0; row < rows; ++row, first += k.row_bytes, to += k.dim) {
        for (int d = 0; d < k.dim; d += 16) {
            store(to + d, rounded(first, k.type, d, k.dim), d + 16 <= k.dim);
        }
    }
    std::memset(to, 0, static_cast<std::size_t>(kAttentionKeys - rows) * k.dim * 2);
}

// Two rows become one of pairs: low halves from the first, high ones from the second.
JIKJI_AVX512 void pack_v(const HeadRows& v, const std::byte* first, int rows, void* out) {
    auto* to = static_cast<std::uint16_t*>(out);
    for (int row = 0; row < kAttentionKeys; row += 2, to += 2 * v.dim) {
        const std::byte* a = first + static_cast<std::size_t>(row) * v.row_bytes;
        for (int d = 0; d < v.dim; d += 16) {
            const __m256i none = _mm256_setzero_si256();
            const __m256i x = row < rows ? rounded(a, v.type, d, v.dim) : none;
            const __m256i y = row + 1 < rows ? rounded(a + v.row_bytes, v.type, d, v.dim) : none;
            const __m512i pairs = _mm512_or_si512(_mm512_cvtepu16_epi32(x),
                                                  _mm512_slli_epi32(_mm512_cvtepu16_epi32(y), 16));
            _mm512_mask_storeu_epi32(to + 2 * d, d + 16 <= v.dim ? 0xFFFF : 0x00FF, pairs);
        }
    }
}

// A gather of 32 bits brings the mask of two neighbouring keys for 16 queries.
JIKJI_AVX512 void spread_bias(const std::uint16_t* mask, std::size_t mask_row, int rows, int keys,
                              int lanes, float* out) {
    if (keys < kAttentionKeys || mask_row > 1u << 26) {
        return portable_attention().spread_bias(mask, mask_row, rows, keys, lanes, out);
    }
    const __m512i hidden = _mm512_set1_epi32(static_cast<int>(0xFC00FC00));
    const __m512i steps = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i at = _mm512_mullo_epi32(steps, _mm512_set1_epi32(static_cast<int>(mask_row)));
    for (int lane = 0; lane < lanes; lane += 16) {
        const int left = rows - lane;
        const auto used =
            static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1u << (left > 0 ? left : 0)) - 1);
        const std::uint16_t* first = mask + static_cast<std::size_t>(lane) * mask_row;
        for (int key = 0; key < kAttentionKeys; key += 2) {
            const __m512i both = _mm512_mask_i32gather_epi32(hidden, used, at, first + key, 2);
            float* to = out + key * lanes + lane;
            _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm512_cvtepi32_epi16(both)));
            _mm512_storeu_ps(to + lanes,
                             _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(both, 16))));
        }
    }
}

JIKJI_AVX512 void pack_q(const float* q, std::size_t row_bytes, int rows, int dim, int lanes,
                         void* out) {
    auto* to = static_cast<Pair*>(out);
    std::memset(to, 0, static_cast<std::size_t>(dim) / 2 * lanes * sizeof(Pair));
    for (int row = 0; row < rows; ++row) {
        const auto* from = reinterpret_cast<const std::byte*>(q) + row * row_bytes;
        for (int d = 0; d < dim; d += 16) {
            alignas(32) Pair pairs[8];
            _mm256_store_si256(reinterpret_cast<__m256i*>(pairs),
                               rounded(from, Element::kF32, d, dim));
            for (int i = 0; i < 8 && d / 2 + i < dim / 2; ++i) {
                to[(d / 2 + i) * lanes + row] = pairs[i];
            }
        }
    }
}

}  // namespace

const AttentionKernels& avx512_attention() noexcept {
    static constexpr AttentionKernels kKernels = {
        2, pack_q, pack_k, pack_v, spread_bias, attend, attend_rows_avx512};
    return kKernels;
}

}  // namespace jikji::gemm

#else

namespace jikji::gemm {
const AttentionKernels& avx512_attention() noexcept { return portable_attention(); }
}  // namespace jikji::gemm

#endif
