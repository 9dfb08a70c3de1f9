#pragma once
// Private to gemm: what the AVX-512 kernels of attention have in common.
#include "gemm/attention_kernels.hpp"

#if defined(__x86_64__)

// GCC 12 takes the undefined operands of its own intrinsics for a mistake of ours (PR 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>

#define JIKJI_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define JIKJI_AVX512_INLINE JIKJI_AVX512 __attribute__((always_inline)) inline

namespace jikji::gemm {

constexpr float kLog2e = 1.44269504f;

// 2^x for x up to 0 or so: 2^round(x) times the Taylor series of 2^f, |f| <= 1/2, whose error, at
// most (ln 2 / 2)^5 / 5! = 4e-5, is a fiftieth of what bfloat16 rounds away afterwards.
JIKJI_AVX512_INLINE __m512 exp2_of(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-200.0f));  // -inf - -inf would be no number
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_sub_ps(x, whole);
    __m512 p = _mm512_set1_ps(0.00961813f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.05550411f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.24022651f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69314718f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, whole);
}

// The same to the 6th order, for what stays float32: |error| <= (ln 2 / 2)^7 / 7! = 1.2e-7.
JIKJI_AVX512_INLINE __m512 exp2_fine(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-200.0f));
    const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    const __m512 f = _mm512_sub_ps(x, whole);
    __m512 p = _mm512_set1_ps(1.540353e-4f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.3333558e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(9.6181291e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.5504109e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(2.4022651e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(6.9314718e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, whole);
}

// tanh(x) = 1 - 2 / (e^2x + 1)
JIKJI_AVX512_INLINE __m512 tanh_of(__m512 x) {
    x = _mm512_min_ps(x, _mm512_set1_ps(40.0f));
    const __m512 e = exp2_fine(_mm512_mul_ps(x, _mm512_set1_ps(2 * kLog2e)));
    const __m512 one = _mm512_set1_ps(1.0f);
    return _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), _mm512_add_ps(e, one)));
}

JIKJI_AVX512_INLINE __m512 load16(const std::byte* row, Element type, int at) {
    switch (type) {
        case Element::kF16:
            return _mm512_cvtph_ps(
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + at * 2)));
        case Element::kBf16:
            return _mm512_castsi512_ps(_mm512_slli_epi32(
                _mm512_cvtepu16_epi32(
                    _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + at * 2))),
                16));
        case Element::kF32: break;
    }
    return _mm512_loadu_ps(row + at * 4);
}

void attend_rows_avx512(const AttentionRows& rows);

}  // namespace jikji::gemm

#endif
