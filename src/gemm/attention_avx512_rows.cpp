#include "gemm/attention_avx512.hpp"

#if defined(__x86_64__)

#include <algorithm>
#include <cmath>

namespace jikji::gemm {
namespace {

constexpr int kHeads = 4;  // at a time: a row of k or v is widened once for them
constexpr int kKeys = 4;   // at a time, in the products with k

// Work space of up to 64 keys: [heads][keys].
struct Rows {
    const AttentionRows& r;
    const int* keys;
    int count;
    int head;  // the first of kHeads
    alignas(64) float scores[kHeads][kAttentionKeys];
    alignas(64) float bias[kAttentionKeys];
};

JIKJI_AVX512_INLINE const std::byte* row_of(const HeadRows& x, const std::byte* first, int key) {
    return first + static_cast<std::size_t>(key) * x.row_bytes;
}

// The sums of the lanes of four vectors.
JIKJI_AVX512_INLINE __m128 sums_of(__m512 a, __m512 b, __m512 c, __m512 d) {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512 four =
        _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xEE));
    const __m256 two = _mm256_add_ps(_mm512_castps512_ps256(four), _mm512_extractf32x8_ps(four, 1));
    return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

template <int kHeadsNow, Element kType>
JIKJI_AVX512 void score(Rows& w) {
    const HeadRows& k = *w.r.k;
    const std::byte* q = w.r.q + static_cast<std::size_t>(w.head) * w.r.q_bytes;
    for (int at = 0; at < w.count; at += kKeys) {
        const std::byte* row[kKeys];
        for (int i = 0; i < kKeys; ++i) {
            row[i] = row_of(k, w.r.k_first, w.keys[std::min(at + i, w.count - 1)]);
        }
        __m512 sum[kHeadsNow][kKeys];
        for (auto& head : sum) {
            for (auto& s : head) s = _mm512_setzero_ps();
        }
        for (int d = 0; d < k.dim; d += 16) {
            __m512 x[kKeys];
            for (int i = 0; i < kKeys; ++i) x[i] = load16(row[i], kType, d);
            for (int h = 0; h < kHeadsNow; ++h) {
                const __m512 y = _mm512_loadu_ps(q + h * w.r.q_bytes + d * sizeof(float));
                for (int i = 0; i < kKeys; ++i) sum[h][i] = _mm512_fmadd_ps(x[i], y, sum[h][i]);
            }
        }
        for (int h = 0; h < kHeadsNow; ++h) {
            _mm_store_ps(w.scores[h] + at, sums_of(sum[h][0], sum[h][1], sum[h][2], sum[h][3]));
        }
    }
}

// Scores to weights, in place; the head's top and sum. Returns the factor for what came before.
JIKJI_AVX512_INLINE float weigh_row(Rows& w, int head, float& top, float& sum) {
    float* scores = w.scores[head];
    const float cap = w.r.softcap;
    const __m512 scale = _mm512_set1_ps(cap > 0 ? w.r.scale / cap : w.r.scale);
    __m512 most = _mm512_set1_ps(top);
    for (int i = 0; i < w.count; i += 16) {
        const int left = w.count - i;
        const auto used = static_cast<__mmask16>(left >= 16 ? 0xFFFF : (1u << left) - 1);
        __m512 s = _mm512_mul_ps(_mm512_load_ps(scores + i), scale);
        if (cap > 0) s = _mm512_mul_ps(tanh_of(s), _mm512_set1_ps(cap));
        if (w.r.bias) {
            const __m512 slope = _mm512_set1_ps(w.r.slopes[w.head + head]);
            s = _mm512_fmadd_ps(slope, _mm512_load_ps(w.bias + i), s);
        }
        s = _mm512_mask_mov_ps(_mm512_set1_ps(2 * kLogitFloor), used, s);
        _mm512_store_ps(scores + i, s);
        most = _mm512_max_ps(most, s);
    }
    const float old = top;
    top = _mm512_reduce_max_ps(most);
    __m512 total = _mm512_setzero_ps();
    for (int i = 0; i < w.count; i += 16) {
        const __m512 s = _mm512_sub_ps(_mm512_load_ps(scores + i), _mm512_set1_ps(top));
        const __m512 weight = exp2_fine(_mm512_mul_ps(s, _mm512_set1_ps(kLog2e)));
        _mm512_store_ps(scores + i, weight);
        total = _mm512_add_ps(total, weight);
    }
    const float shrink = std::exp(old - top);
    sum = sum * shrink + _mm512_reduce_add_ps(total);
    return shrink;
}

template <int kHeadsNow, int kVectors, Element kType>
JIKJI_AVX512 void add_rows(const Rows& w, const float* shrink, int d) {
    const HeadRows& v = *w.r.v;
    float* out = w.r.out + w.head * w.r.out_row + d;
    __m512 sum[kHeadsNow][kVectors];
    for (int h = 0; h < kHeadsNow; ++h) {
        for (int n = 0; n < kVectors; ++n) {
            sum[h][n] = _mm512_mul_ps(_mm512_loadu_ps(out + h * w.r.out_row + n * 16),
                                      _mm512_set1_ps(shrink[h]));
        }
    }
    for (int i = 0; i < w.count; ++i) {
        const std::byte* row = row_of(v, w.r.v_first, w.keys[i]);
        __m512 x[kVectors];
        for (int n = 0; n < kVectors; ++n) x[n] = load16(row, kType, d + n * 16);
        for (int h = 0; h < kHeadsNow; ++h) {
            const __m512 weight = _mm512_set1_ps(w.scores[h][i]);
            for (int n = 0; n < kVectors; ++n) sum[h][n] = _mm512_fmadd_ps(x[n], weight, sum[h][n]);
        }
    }
    for (int h = 0; h < kHeadsNow; ++h) {
        for (int n = 0; n < kVectors; ++n) {
            _mm512_storeu_ps(out + h * w.r.out_row + n * 16, sum[h][n]);
        }
    }
}

template <int kHeadsNow, Element kType>
JIKJI_AVX512 void take_keys(Rows& w) {
    const int dim = w.r.v->dim;
    score<kHeadsNow, kType>(w);
    float shrink[kHeadsNow];
    for (int h = 0; h < kHeadsNow; ++h) {
        float* state = w.r.out + (w.head + h) * w.r.out_row + dim;
        shrink[h] = weigh_row(w, h, state[0], state[1]);
    }
    int d = 0;
    for (; d + 64 <= dim; d += 64) add_rows<kHeadsNow, 4, kType>(w, shrink, d);
    for (; d < dim; d += 16) add_rows<kHeadsNow, 1, kType>(w, shrink, d);
}

template <Element kType>
void attend_all(const AttentionRows& r) {
    Rows w{r, nullptr, 0, 0, {}, {}};
    for (int at = 0; at < r.count; at += kAttentionKeys) {
        w.keys = r.keys + at;
        w.count = std::min(kAttentionKeys, r.count - at);
        for (int i = 0; r.bias && i < w.count; ++i) w.bias[i] = half_to_float(r.bias[w.keys[i]]);
        for (w.head = 0; w.head < r.heads; w.head += kHeads) {
            switch (std::min(kHeads, r.heads - w.head)) {
                case 1: take_keys<1, kType>(w); break;
                case 2: take_keys<2, kType>(w); break;
                case 3: take_keys<3, kType>(w); break;
                default: take_keys<4, kType>(w);
            }
        }
    }
}

}  // namespace

void attend_rows_avx512(const AttentionRows& r) {
    const bool whole = r.k->dim % 16 == 0 && r.v->dim % 16 == 0 && r.k->type == r.v->type;
    if (!whole) return avx2_attention().attend_rows(r);
    for (int h = 0; h < r.heads; ++h) {
        float* out = r.out + h * r.out_row;
        std::fill(out, out + r.v->dim + 2, 0.0f);
        out[r.v->dim] = kLogitFloor;
    }
    switch (r.k->type) {
        case Element::kF16: return attend_all<Element::kF16>(r);
        case Element::kBf16: return attend_all<Element::kBf16>(r);
        case Element::kF32: return attend_all<Element::kF32>(r);
    }
}

}  // namespace jikji::gemm

#endif
