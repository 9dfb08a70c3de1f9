#include "llama/dequantise.hpp"

#include <ggml.h>

#include <cstring>

#include "base/cpu.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define JIKJI_X86 1
#ifndef __clang__
// GCC 12 takes the undefined operands of its own intrinsics for a mistake of ours (PR 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#define JIKJI_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,f16c")))
#endif

namespace jikji::llama {
namespace {

#ifdef JIKJI_X86

/// GGUF's Q6_K: 256 values in two halves, 6 bits each, and a scale for every 16 of them.
struct BlockQ6K {
    std::uint8_t low[2][2][32];  // of a half: values l (4 bits) and l + 64 (4 bits), l = 0..63
    std::uint8_t high[2][32];    // of a half: 2 bits each of the values l, l + 32, l + 64, l + 96
    std::int8_t scales[2][8];
    std::uint16_t scale;  // float16, of all
};
static_assert(sizeof(BlockQ6K) == 210);

JIKJI_AVX512 inline void write_sixteen(__m128i values, float scale, float* out) {
    const __m512 x = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(values));
    _mm512_storeu_ps(out, _mm512_mul_ps(x, _mm512_set1_ps(scale)));
}

/// 32 values: 4 bits of `low` under 2 of `high`, which are there already in their place.
JIKJI_AVX512 inline void write_thirty_two(__m256i low, __m256i high, float scale,
                                          const std::int8_t* scales, float* out) {
    const __m256i six = _mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(0x0f)),
                                        _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    const __m256i values = _mm256_sub_epi8(six, _mm256_set1_epi8(32));
    write_sixteen(_mm256_castsi256_si128(values), scale * scales[0], out);
    write_sixteen(_mm256_extracti128_si256(values, 1), scale * scales[1], out + 16);
}

JIKJI_AVX512 inline __m256i load(const std::uint8_t* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}

JIKJI_AVX512 void q6_k(const void* blocks, float* out, std::int64_t count) {
    const auto* block = static_cast<const BlockQ6K*>(blocks);
    for (std::int64_t i = 0; i < count; i += 256, ++block) {
        const float scale = _cvtsh_ss(block->scale);
        for (int half = 0; half < 2; ++half, out += 128) {
            const __m256i a = load(block->low[half][0]);
            const __m256i b = load(block->low[half][1]);
            const __m256i high = load(block->high[half]);
            const std::int8_t* scales = block->scales[half];
            write_thirty_two(a, _mm256_slli_epi16(high, 4), scale, scales, out);
            write_thirty_two(b, _mm256_slli_epi16(high, 2), scale, scales + 2, out + 32);
            write_thirty_two(_mm256_srli_epi16(a, 4), high, scale, scales + 4, out + 64);
            write_thirty_two(_mm256_srli_epi16(b, 4), _mm256_srli_epi16(high, 2), scale, scales + 6,
                             out + 96);
        }
    }
}

/// GGUF's Q4_K: 256 values of 4 bits in 8 groups; a group has a scale and an offset of 6 bits each.
struct BlockQ4K {
    std::uint16_t scale;   // float16, of the scales
    std::uint16_t offset;  // float16, of the offsets
    std::uint8_t packed[12];
    std::uint8_t values[4][32];  // of groups 2i (low 4 bits) and 2i + 1 (high 4 bits)

    int scale_of(int group) const {
        return group < 4 ? packed[group] & 63
                         : (packed[group + 4] & 15) | (packed[group - 4] >> 6 << 4);
    }
    int offset_of(int group) const {
        return group < 4 ? packed[group + 4] & 63
                         : packed[group + 4] >> 4 | (packed[group] >> 6 << 4);
    }
};
static_assert(sizeof(BlockQ4K) == 144);

JIKJI_AVX512 inline void write_group(__m256i values, float scale, float offset, float* out) {
    const __m512 factor = _mm512_set1_ps(scale);
    const __m512 less = _mm512_set1_ps(offset);
    const __m512i first = _mm512_cvtepu8_epi32(_mm256_castsi256_si128(values));
    const __m512i second = _mm512_cvtepu8_epi32(_mm256_extracti128_si256(values, 1));
    _mm512_storeu_ps(out, _mm512_fmsub_ps(_mm512_cvtepi32_ps(first), factor, less));
    _mm512_storeu_ps(out + 16, _mm512_fmsub_ps(_mm512_cvtepi32_ps(second), factor, less));
}

JIKJI_AVX512 void q4_k(const void* blocks, float* out, std::int64_t count) {
    const auto* block = static_cast<const BlockQ4K*>(blocks);
    const __m256i four_bits = _mm256_set1_epi8(0x0f);
    for (std::int64_t i = 0; i < count; i += 256, ++block) {
        const float scale = _cvtsh_ss(block->scale);
        const float offset = _cvtsh_ss(block->offset);
        for (int pair = 0; pair < 4; ++pair, out += 64) {
            const __m256i both = load(block->values[pair]);
            const int g = 2 * pair;
            write_group(_mm256_and_si256(both, four_bits),
                        scale * static_cast<float>(block->scale_of(g)),
                        offset * static_cast<float>(block->offset_of(g)), out);
            write_group(_mm256_and_si256(_mm256_srli_epi16(both, 4), four_bits),
                        scale * static_cast<float>(block->scale_of(g + 1)),
                        offset * static_cast<float>(block->offset_of(g + 1)), out + 32);
        }
    }
}

JIKJI_AVX512 void f16(const void* values, float* out, std::int64_t count) {
    const auto* at = static_cast<const std::uint16_t*>(values);
    std::int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const auto half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + i));
        _mm512_storeu_ps(out + i, _mm512_cvtph_ps(half));
    }
    for (; i < count; ++i) out[i] = _cvtsh_ss(at[i]);
}

#endif

}  // namespace

ToFloats to_floats_of(int type) {
#ifdef JIKJI_X86
    if (type == GGML_TYPE_Q4_K && cpu::has_avx512()) return q4_k;
    if (type == GGML_TYPE_Q6_K && cpu::has_avx512()) return q6_k;
    if (type == GGML_TYPE_F16 && cpu::has_avx512()) return f16;
#endif
    return ggml_get_type_traits(static_cast<ggml_type>(type))->to_float;
}

}  // namespace jikji::llama
