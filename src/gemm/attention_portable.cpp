// The kernels in float32, written once in GCC's portable vectors: compiled for the least CPU of the
// architecture, and on x86-64 once more for AVX2 with FMA, where a vector is one register.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "gemm/attention_kernels.hpp"

#define JIKJI_INLINE __attribute__((always_inline)) inline

namespace jikji::gemm {
namespace {

constexpr int kWidth = 8;
constexpr int kStep = 4;  // keys, or columns of v, whose sums are in registers at the same time
constexpr int kVectors = 2;
constexpr float kLog2e = 1.44269504f;

using Floats = float __attribute__((vector_size(kWidth * 4)));
using Ints = std::int32_t __attribute__((vector_size(kWidth * 4)));

JIKJI_INLINE Floats load(const float* from) {
    Floats x;
    std::memcpy(&x, from, sizeof x);
    return x;
}

JIKJI_INLINE void store(float* to, Floats x) { std::memcpy(to, &x, sizeof x); }

JIKJI_INLINE Floats larger(Floats a, Floats b) { return a > b ? a : b; }

// 2^x for x from -200 or so: Taylor to the 6th order, |error| <= (ln 2 / 2)^7 / 7! = 1.2e-7.
JIKJI_INLINE Floats exp2_of(Floats x) {
    x = larger(x, Floats{} - 126.0f);             // what is below is 0 for a sum that has a 1 in it
    const Floats magic = Floats{} + 12582912.0f;  // 1.5 * 2^23: adding it rounds
    const Floats whole = (x + magic) - magic;
    const Floats f = x - whole;
    Floats p = f * 1.540353e-4f + 1.3333558e-3f;
    p = p * f + 9.6181291e-3f;
    p = p * f + 5.5504109e-2f;
    p = p * f + 2.4022651e-1f;
    p = p * f + 6.9314718e-1f;
    p = p * f + 1.0f;
    const Ints exponent = (__builtin_convertvector(whole, Ints) + 127) << 23;
    Floats power;
    std::memcpy(&power, &exponent, sizeof power);
    return p * power;
}

JIKJI_INLINE Floats tanh_of(Floats x) {
    x = x < 40.0f ? x : Floats{} + 40.0f;
    return 1.0f - 2.0f / (exp2_of(x * (2 * kLog2e)) + 1.0f);
}

// Sums of kStep rows of `a` (a value each `stride`) with the lanes of `b`, over `depth`.
JIKJI_INLINE void multiply_lanes(Floats (&sum)[kStep][kVectors], const float* a, int next_row,
                                 int next_depth, const float* b, int lanes, int depth) {
    for (int d = 0; d < depth; ++d, a += next_depth, b += lanes) {
        Floats x[kVectors];
        for (int v = 0; v < kVectors; ++v) x[v] = load(b + v * kWidth);
        for (int i = 0; i < kStep; ++i) {
            for (int v = 0; v < kVectors; ++v) sum[i][v] += x[v] * a[i * next_row];
        }
    }
}

JIKJI_INLINE void scores_of(const AttentionBlock& b) {
    const auto* q = static_cast<const float*>(b.q);
    for (int key = 0; key < kAttentionKeys; key += kStep) {
        const float* k = static_cast<const float*>(b.k) + static_cast<std::ptrdiff_t>(key) * b.dim;
        for (int lane = 0; lane < b.lanes; lane += kVectors * kWidth) {
            Floats sum[kStep][kVectors] = {};
            multiply_lanes(sum, k, b.dim, 1, q + lane, b.lanes, b.dim);
            for (int i = 0; i < kStep; ++i) {
                for (int v = 0; v < kVectors; ++v) {
                    store(b.scores + (key + i) * b.lanes + lane + v * kWidth, sum[i][v]);
                }
            }
        }
    }
}

JIKJI_INLINE void finish_scores(const AttentionBlock& b) {
    const float scale = b.softcap > 0 ? b.scale / b.softcap : b.scale;
    for (int i = 0; i < kAttentionKeys * b.lanes; i += kWidth) {
        Floats s = load(b.scores + i) * scale;
        if (b.softcap > 0) s = tanh_of(s) * b.softcap;
        if (b.bias) s += load(b.bias + i) * b.slope;
        store(b.scores + i, s);
    }
}

// e^(score - top) of one vector of queries, and the state's top, sum and o to match.
JIKJI_INLINE void weigh(const AttentionBlock& b, const AttentionState& state, int lane) {
    const float* scores = b.scores + lane;
    const Floats old = load(state.top + lane);
    Floats top = old;
    for (int key = 0; key < kAttentionKeys; ++key) top = larger(load(scores + key * b.lanes), top);
    store(state.top + lane, top);
    auto* weights = static_cast<float*>(b.weights) + lane;
    Floats sum = {};
    for (int key = 0; key < kAttentionKeys; ++key) {
        const Floats s = load(scores + key * b.lanes);
        const Floats weight = exp2_of((s - top) * kLog2e);
        const Floats shown = s > kLogitFloor ? weight : Floats{};
        sum += shown;
        store(weights + key * b.lanes, shown);
    }
    const Floats shrink = exp2_of((old - top) * kLog2e);
    store(state.sum + lane, load(state.sum + lane) * shrink + sum);
    for (int d = 0; d < b.dim_v; ++d) {
        float* o = state.o + d * b.lanes + lane;
        store(o, load(o) * shrink);
    }
}

JIKJI_INLINE void add_values(const AttentionBlock& b, float* o) {
    const auto* weights = static_cast<const float*>(b.weights);
    for (int d = 0; d < b.dim_v; d += kStep) {
        const float* v = static_cast<const float*>(b.v) + d;
        for (int lane = 0; lane < b.lanes; lane += kVectors * kWidth) {
            Floats sum[kStep][kVectors];
            float* out = o + d * b.lanes + lane;
            for (int i = 0; i < kStep; ++i) {
                for (int n = 0; n < kVectors; ++n) sum[i][n] = load(out + i * b.lanes + n * kWidth);
            }
            multiply_lanes(sum, v, 1, b.dim_v, weights + lane, b.lanes, kAttentionKeys);
            for (int i = 0; i < kStep; ++i) {
                for (int n = 0; n < kVectors; ++n) store(out + i * b.lanes + n * kWidth, sum[i][n]);
            }
        }
    }
}

JIKJI_INLINE void attend_body(const AttentionBlock& b, const AttentionState& state) {
    scores_of(b);
    finish_scores(b);
    for (int lane = 0; lane < b.lanes; lane += kWidth) weigh(b, state, lane);
    add_values(b, state.o);
}

JIKJI_INLINE void to_floats(const std::byte* from, Element type, int n, float* to) {
    if (type == Element::kF32) {
        std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
        return;
    }
    for (int i = 0; i < n; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, from + i * 2, sizeof bits);
        to[i] = type == Element::kF16
                    ? half_to_float(bits)
                    : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
    }
}

JIKJI_INLINE void pack_rows_body(const HeadRows& x, const std::byte* first, int rows, void* out) {
    auto* to = static_cast<float*>(out);
    for (int row = 0; row < rows; ++row, first += x.row_bytes, to += x.dim) {
        to_floats(first, x.type, x.dim, to);
    }
    std::memset(to, 0, static_cast<std::size_t>(kAttentionKeys - rows) * x.dim * sizeof(float));
}

JIKJI_INLINE void spread_bias_body(const std::uint16_t* mask, std::size_t mask_row, int rows,
                                   int keys, int lanes, float* out) {
    for (int i = 0; i < kAttentionKeys * lanes; ++i) {
        out[i] = -std::numeric_limits<float>::infinity();
    }
    for (int row = 0; row < rows; ++row, mask += mask_row) {
        for (int key = 0; key < keys; ++key) out[key * lanes + row] = half_to_float(mask[key]);
    }
}

JIKJI_INLINE float dot(const float* a, const float* b, int n) {
    Floats sum = {};
    for (int i = 0; i < n; i += kWidth) sum += load(a + i) * load(b + i);
    float total = 0;
    for (int i = 0; i < kWidth; ++i) total += sum[i];
    return total;
}

// Takes one key into one head's running softmax.
JIKJI_INLINE void take_key(const AttentionRows& r, float score, const float* v, float* out) {
    const int dim = r.v->dim;
    const float top = std::max(out[dim], score);
    const float shrink = std::exp(out[dim] - top);
    const float weight = std::exp(score - top);
    out[dim] = top;
    out[dim + 1] = out[dim + 1] * shrink + weight;
    for (int d = 0; d < dim; d += kWidth) {
        store(out + d, load(out + d) * shrink + load(v + d) * weight);
    }
}

JIKJI_INLINE void attend_rows_body(const AttentionRows& r) {
    for (int h = 0; h < r.heads; ++h) {
        float* out = r.out + h * r.out_row;
        std::fill(out, out + r.v->dim + 2, 0.0f);
        out[r.v->dim] = kLogitFloor;
    }
    float k[kAttentionDimMax];
    float v[kAttentionDimMax];
    for (int i = 0; i < r.count; ++i) {
        const auto key = static_cast<std::size_t>(r.keys[i]);
        to_floats(r.k_first + key * r.k->row_bytes, r.k->type, r.k->dim, k);
        to_floats(r.v_first + key * r.v->row_bytes, r.v->type, r.v->dim, v);
        for (int h = 0; h < r.heads; ++h) {
            const auto* q = reinterpret_cast<const float*>(r.q + h * r.q_bytes);
            float score = dot(q, k, r.k->dim) * r.scale;
            if (r.softcap > 0) score = r.softcap * std::tanh(score / r.softcap);
            if (r.bias) score += r.slopes[h] * half_to_float(r.bias[key]);
            take_key(r, score, v, r.out + h * r.out_row);
        }
    }
}

void pack_q(const float* q, std::size_t row_bytes, int rows, int dim, int lanes, void* out) {
    auto* to = static_cast<float*>(out);
    std::memset(to, 0, static_cast<std::size_t>(dim) * lanes * sizeof(float));
    for (int row = 0; row < rows; ++row) {
        const auto* from = reinterpret_cast<const float*>(
            reinterpret_cast<const std::byte*>(q) + static_cast<std::size_t>(row) * row_bytes);
        for (int d = 0; d < dim; ++d) to[d * lanes + row] = from[d];
    }
}

}  // namespace

#define JIKJI_ATTENTION_KERNELS(name, target)                                                   \
    namespace name {                                                                            \
    target void pack(const HeadRows& x, const std::byte* first, int rows, void* out) {          \
        pack_rows_body(x, first, rows, out);                                                    \
    }                                                                                           \
    target void spread(const std::uint16_t* mask, std::size_t mask_row, int rows, int keys,     \
                       int lanes, float* out) {                                                 \
        spread_bias_body(mask, mask_row, rows, keys, lanes, out);                               \
    }                                                                                           \
    target void attend(const AttentionBlock& b, const AttentionState& s) { attend_body(b, s); } \
    target void attend_rows(const AttentionRows& r) { attend_rows_body(r); }                    \
    constexpr AttentionKernels kKernels = {sizeof(float), pack_q, pack,       pack,             \
                                           spread,        attend, attend_rows};                 \
    }

namespace {
JIKJI_ATTENTION_KERNELS(portable, )
#if defined(__x86_64__)
JIKJI_ATTENTION_KERNELS(avx2, __attribute__((target("avx2,fma"))))
#endif
}  // namespace

const AttentionKernels& portable_attention() noexcept { return portable::kKernels; }

const AttentionKernels& avx2_attention() noexcept {
#if defined(__x86_64__)
    return avx2::kKernels;
#else
    return portable::kKernels;
#endif
}

}  // namespace jikji::gemm
