#include "gemm/products_kernels.hpp"

#include <algorithm>
#include <bit>

#include "base/cpu.hpp"
#include "gemm/bf16.hpp"
#include "gemm/features.hpp"
#include "gemm/transpose.hpp"

namespace jikji::gemm {
namespace {

// ---- any CPU ----

/// The sixteen lanes from `first` on.
template <bool kHalves>
PackPart panel_of(const PackPart& part, int first) {
    PackPart out = part;
    out.from = static_cast<const char*>(part.from) + first * part.lane * (kHalves ? 2 : 4);
    out.lanes = std::min(kLanes, part.lanes - first);
    return out;
}

template <bool kHalves>
void pack_plainly(const PackPart& part, Step* to) {
    constexpr int kValues = kHalves ? 2 : 1;
    const int steps = (part.depth + kValues - 1) / kValues;
    const int panels = (part.lanes + kLanes - 1) / kLanes;
    std::fill_n(to, static_cast<std::ptrdiff_t>(panels) * steps * kLanes, 0u);
    for (int depth = 0; depth < part.depth; ++depth)
        for (int lane = 0; lane < part.lanes; ++lane) {
            const std::ptrdiff_t at = lane * part.lane + depth * part.depth_gap;
            const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(lane / kLanes) * steps;
            Step& step = to[(panel + depth / kValues) * kLanes + lane % kLanes];
            if constexpr (kHalves) {
                step |= static_cast<Step>(static_cast<const Bf16*>(part.from)[at])
                        << (depth % 2 * 16);
            } else {
                step = std::bit_cast<Step>(static_cast<const float*>(part.from)[at]);
            }
        }
}

float low(Step step) { return std::bit_cast<float>(step << 16); }
float high(Step step) { return std::bit_cast<float>(step & 0xffff0000u); }

/// 4 rows and 16 columns: sums that a compiler keeps in registers.
template <bool kHalves>
inline __attribute__((always_inline)) void multiply_block(const Step* a, const Step* b, int steps,
                                                          float* c, std::ptrdiff_t ldc, int rows,
                                                          int columns, bool add) {
    float sums[4][kLanes] = {};
    for (int step = 0; step < steps; ++step, a += kLanes, b += kLanes)
        for (int row = 0; row < 4; ++row)
            for (int lane = 0; lane < kLanes; ++lane) {
                if constexpr (kHalves) {
                    sums[row][lane] += low(a[row]) * low(b[lane]);
                    sums[row][lane] += high(a[row]) * high(b[lane]);
                } else {
                    sums[row][lane] += std::bit_cast<float>(a[row]) * std::bit_cast<float>(b[lane]);
                }
            }
    for (int row = 0; row < rows; ++row)
        for (int lane = 0; lane < columns; ++lane) {
            float& to = c[row * ldc + lane];
            to = add ? to + sums[row][lane] : sums[row][lane];
        }
}

template <bool kHalves>
inline __attribute__((always_inline)) void multiply_inline(const Step* a, const Step* b, int steps,
                                                           const Tile& tile) {
    for (int column = 0; column < tile.columns; column += kLanes)
        for (int row = 0; row < tile.rows; row += 4)
            multiply_block<kHalves>(
                a + row, b + static_cast<std::ptrdiff_t>(column / kLanes) * steps * kLanes, steps,
                tile.c + row * tile.ldc + column, tile.ldc, std::min(4, tile.rows - row),
                std::min(kLanes, tile.columns - column), tile.add);
}

template <bool kHalves>
void multiply_plainly(const Step* a, const Step* b, int steps, const Tile& tile) {
    multiply_inline<kHalves>(a, b, steps, tile);
}

#ifdef JIKJI_X86

template <bool kHalves>
__attribute__((target("avx2,fma"))) void multiply_avx2(const Step* a, const Step* b, int steps,
                                                       const Tile& tile) {
    multiply_inline<kHalves>(a, b, steps, tile);
}

// ---- AVX-512 ----

#define JIKJI_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,prfchw")))

/// The depth lies side by side: 16 steps at a time become columns.
template <bool kHalves>
JIKJI_AVX512 void pack_along(const PackPart& part, Step* to) {
    constexpr int kValues = kHalves ? 2 : 1;
    const auto* from = static_cast<const char*>(part.from);
    const std::ptrdiff_t gap = part.lane * (kHalves ? 2 : 4);
    const int steps = (part.depth + kValues - 1) / kValues;
    for (int step = 0; step < steps; step += 16) {
        const int left = std::min(16 * kValues, part.depth - step * kValues);
        __m512i r[16];
#pragma GCC unroll 16
        for (int lane = 0; lane < 16; ++lane) {
            const char* at = from + (lane < part.lanes ? lane : 0) * gap + step * 4;
            __builtin_prefetch(at + 16 * gap);  // the next panel's, most likely
            if constexpr (kHalves) {
                r[lane] = _mm512_maskz_loadu_epi16(
                    lane < part.lanes ? static_cast<__mmask32>((1ull << left) - 1) : 0, at);
            } else {
                r[lane] = _mm512_maskz_loadu_epi32(
                    lane < part.lanes ? static_cast<__mmask16>((1u << left) - 1) : 0, at);
            }
        }
        transpose_16x16(r);
        const int count = std::min(16, steps - step);
        for (int i = 0; i < count; ++i)
            _mm512_storeu_si512(to + static_cast<std::ptrdiff_t>(step + i) * kLanes, r[i]);
    }
}

/// Two depths (or one) of up to 16 lanes that lie side by side.
template <bool kHalves>
JIKJI_AVX512 inline __attribute__((always_inline)) __m512i step_across(const char* at,
                                                                       std::ptrdiff_t gap,
                                                                       int lanes, bool two) {
    const auto mask = static_cast<__mmask16>((1u << lanes) - 1);
    if constexpr (!kHalves) return _mm512_maskz_loadu_epi32(mask, at);
    const __m512i first = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at));
    if (!two) return first;
    const __m512i second = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at + gap));
    return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

/// The lanes lie side by side. Depth by depth: each may lie on a page of its own, and far enough
/// apart that a cache does not keep them for the next panel.
template <bool kHalves>
JIKJI_AVX512 void pack_across(const PackPart& part, Step* to) {
    constexpr int kValues = kHalves ? 2 : 1;
    constexpr int kBytes = kHalves ? 2 : 4;
    constexpr int kAhead = 64;
    const std::ptrdiff_t gap = part.depth_gap * kBytes;
    const int steps = (part.depth + kValues - 1) / kValues;
    const auto* at = static_cast<const char*>(part.from);
    for (int step = 0; step < steps; ++step, at += gap * kValues, to += kLanes) {
        const bool two = step * kValues + 1 < part.depth;
        for (int value = 0; value < kValues; ++value) {
            const char* later = at + (kAhead + value) * gap;
            __builtin_prefetch(later);
            __builtin_prefetch(later + part.lanes * kBytes - 1);
        }
        for (int first = 0; first < part.lanes; first += kLanes)
            _mm512_storeu_si512(to + static_cast<std::ptrdiff_t>(first) * steps,
                                step_across<kHalves>(at + first * kBytes, gap,
                                                     std::min(kLanes, part.lanes - first), two));
    }
}

template <bool kHalves>
void pack_avx512(const PackPart& part, Step* to) {
    if (part.depth_gap != 1) return pack_across<kHalves>(part, to);
    const int steps = (part.depth + (kHalves ? 1 : 0)) / (kHalves ? 2 : 1);
    for (int first = 0; first < part.lanes; first += kLanes)
        pack_along<kHalves>(panel_of<kHalves>(part, first),
                            to + static_cast<std::ptrdiff_t>(first) * steps);
}

template <bool kHalves>
JIKJI_AVX512 inline __attribute__((always_inline)) void multiply_add(__m512& sum, __m512i a,
                                                                     __m512i b) {
    if constexpr (kHalves) {
        // Not its intrinsic: that would ask AVX512-BF16 of the float32 kernel as well.
        asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    } else {
        sum = _mm512_fmadd_ps(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), sum);
    }
}

/// kRows x kVectors registers of sums.
template <bool kHalves, int kRows, int kVectors>
JIKJI_AVX512 void multiply_rows(const Step* a, const Step* b, int steps, const Tile& tile,
                                int first) {
    const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(steps) * kLanes;
    __m512 sums[kRows][kVectors];
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row)
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) sums[row][v] = _mm512_setzero_ps();
    a += first;
    float* c = tile.c + first * tile.ldc;
    for (int row = 0; row < std::min(kRows, tile.rows - first); ++row)  // here when the sums are
        for (int v = 0; v < kVectors; ++v) __builtin_prefetch(c + row * tile.ldc + v * kLanes, 1);
    for (int step = 0; step < steps; ++step, a += kLanes, b += kLanes) {
        __m512i right[kVectors];
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) right[v] = _mm512_loadu_si512(b + v * panel);
#pragma GCC unroll 16
        for (int row = 0; row < kRows; ++row) {
            const __m512i left = _mm512_set1_epi32(static_cast<int>(a[row]));
#pragma GCC unroll 3
            for (int v = 0; v < kVectors; ++v) multiply_add<kHalves>(sums[row][v], left, right[v]);
        }
    }
    const int last = tile.columns - (kVectors - 1) * kLanes;
    const auto edge = static_cast<__mmask16>((1u << last) - 1);
#pragma GCC unroll 16
    for (int row = 0; row < kRows; ++row) {
        if (first + row >= tile.rows) return;
#pragma GCC unroll 3
        for (int v = 0; v < kVectors; ++v) {
            float* to = c + row * tile.ldc + v * kLanes;
            const __mmask16 mask = v == kVectors - 1 ? edge : static_cast<__mmask16>(0xffff);
            __m512 sum = sums[row][v];
            if (tile.add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, to));
            _mm512_mask_storeu_ps(to, mask, sum);
        }
    }
}

template <bool kHalves>
void multiply_avx512(const Step* a, const Step* b, int steps, const Tile& tile) {
    if (tile.columns <= kLanes) return multiply_rows<kHalves, 16, 1>(a, b, steps, tile, 0);
    for (int first = 0; first < tile.rows; first += 8) {
        if (tile.columns <= 2 * kLanes) {
            multiply_rows<kHalves, 8, 2>(a, b, steps, tile, first);
        } else {
            multiply_rows<kHalves, 8, 3>(a, b, steps, tile, first);
        }
    }
}

template <bool kHalves>
const ProductKernels* for_x86() {
    static const ProductKernels avx512{pack_avx512<kHalves>, multiply_avx512<kHalves>};
    static const ProductKernels avx2{pack_plainly<kHalves>, multiply_avx2<kHalves>};
    if (kHalves ? cpu::has_avx512_bf16() : cpu::has_avx512()) return &avx512;
    return cpu::has_avx2() ? &avx2 : nullptr;
}

#else

template <bool kHalves>
const ProductKernels* for_x86() {
    return nullptr;
}

#endif

template <bool kHalves>
const ProductKernels& kernels(bool portable) {
    static const ProductKernels plain{pack_plainly<kHalves>, multiply_plainly<kHalves>};
    const ProductKernels* fast = portable ? nullptr : for_x86<kHalves>();
    return fast != nullptr ? *fast : plain;
}

}  // namespace

const ProductKernels& product_kernels(Precision precision, bool portable) {
    return precision == Precision::kBf16 ? kernels<true>(portable) : kernels<false>(portable);
}

bool product_kernels_are_best(Precision precision) {
    return precision == Precision::kBf16 ? cpu::has_avx512_bf16() && !cpu::has_amx_bf16()
                                         : cpu::has_avx512();
}

}  // namespace jikji::gemm
