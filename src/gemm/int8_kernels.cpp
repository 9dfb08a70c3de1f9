#include "gemm/int8_kernels.hpp"

#include <algorithm>
#include <cstddef>

#include "gemm/features.hpp"

#ifdef JIKJI_X86
#include "gemm/transpose.hpp"

#define JIKJI_VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma")))
#define JIKJI_VNNI_INLINE JIKJI_VNNI __attribute__((always_inline)) inline

namespace jikji::gemm {
namespace {

constexpr int kTileRows = 6;  // 6 x 4 sums, 4 weights and an input fill the 32 registers

JIKJI_VNNI inline float largest(const float* from, int count) {
    __m512 most = _mm512_setzero_ps();
    for (int i = 0; i < count; i += 16)
        most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_loadu_ps(from + i)));
    return _mm512_reduce_max_ps(most);
}

JIKJI_VNNI inline __m128i bytes_of(const float* from, __m512 factor) {
    const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from), factor));
    return _mm512_cvtsepi32_epi8(whole);
}

/// 64 values, times `factor`, to signed bytes.
JIKJI_VNNI inline __m512i sixty_four(const float* from, __m512 factor) {
    __m512i out = _mm512_castsi128_si512(bytes_of(from, factor));
    out = _mm512_inserti32x4(out, bytes_of(from + 16, factor), 1);
    out = _mm512_inserti32x4(out, bytes_of(from + 32, factor), 2);
    return _mm512_inserti32x4(out, bytes_of(from + 48, factor), 3);
}

/// GCC 12 copies the sum before _mm512_dpbusd_epi32() adds to it, and then has too few registers.
JIKJI_VNNI_INLINE void add_products(__m512i& sum, __m512i weights, __m512i x) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(weights), "v"(x));
}

struct Weights {
    __m512i a, b, c, d;  // four columns of 16 rows each
};

/// The sums of kRows rows of x with 64 rows of weights. Members and not an array: GCC 12 keeps an
/// array of registers in memory and writes it there in every step, at a third of the speed.
template <int kRows>
struct Sums : Sums<kRows - 1> {
    using Before = Sums<kRows - 1>;
    __m512i a, b, c, d;

    JIKJI_VNNI_INLINE void start(const std::int32_t* starts) {
        Before::start(starts);
        a = b = c = d = _mm512_set1_epi32(starts[kRows - 1]);
    }
    JIKJI_VNNI_INLINE void add(const Weights& w, const std::int8_t* in, int block) {
        Before::add(w, in, block);
        int four;
        __builtin_memcpy(&four, in + (kRows - 1) * block, sizeof four);
        const __m512i x = _mm512_set1_epi32(four);
        add_products(a, w.a, x);
        add_products(b, w.b, x);
        add_products(c, w.c, x);
        add_products(d, w.d, x);
    }
    JIKJI_VNNI_INLINE void write(const float* weight_scales, const float* scales, float* strip) {
        Before::write(weight_scales, scales, strip);
        const __m512 scale = _mm512_set1_ps(scales[kRows - 1]);
        float* to = strip + (kRows - 1) * 64;
        write_one(a, _mm512_load_ps(weight_scales), scale, to);
        write_one(b, _mm512_load_ps(weight_scales + 16), scale, to + 16);
        write_one(c, _mm512_load_ps(weight_scales + 32), scale, to + 32);
        write_one(d, _mm512_load_ps(weight_scales + 48), scale, to + 48);
    }
    JIKJI_VNNI_INLINE static void write_one(__m512i sum, __m512 weight_scale, __m512 scale,
                                            float* to) {
        const __m512 both = _mm512_mul_ps(weight_scale, scale);
        _mm512_storeu_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), both, _mm512_loadu_ps(to)));
    }
};

template <>
struct Sums<0> {
    void start(const std::int32_t*) {}
    void add(const Weights&, const std::int8_t*, int) {}
    void write(const float*, const float*, float*) {}
};

template <int kRows>
JIKJI_VNNI void tile(const std::uint8_t* weights, int block, const Int8Inputs& x, int first,
                     float* strip) {
    const std::int8_t* in = x.values + static_cast<std::ptrdiff_t>(first) * block;
    Sums<kRows> sums;
    sums.start(x.starts + first);
    for (int k = 0; k < block; k += 4, weights += 256) {
        const Weights w{_mm512_load_si512(weights), _mm512_load_si512(weights + 64),
                        _mm512_load_si512(weights + 128), _mm512_load_si512(weights + 192)};
        sums.add(w, in + k, block);
    }
    sums.write(reinterpret_cast<const float*>(weights), x.scales + first,
               strip + static_cast<std::ptrdiff_t>(first) * 64);
}

}  // namespace

JIKJI_VNNI void pack_rows(const float* from, int stride, int rows, int block, std::uint8_t* to,
                          float* scales) {
    __m512 factors[16];
    for (int r = 0; r < 16; ++r) {
        const float most =
            r < rows ? largest(from + static_cast<std::ptrdiff_t>(r) * stride, block) : 0.0f;
        scales[r] = most / 127.0f;
        factors[r] = _mm512_set1_ps(most > 0 ? 127.0f / most : 0.0f);
    }
    const __m512i offset = _mm512_set1_epi8(static_cast<char>(0x80));
    for (int k = 0; k < block; k += 64) {
        __m512i values[16];
        for (int r = 0; r < 16; ++r)
            values[r] = r < rows
                            ? _mm512_xor_si512(
                                  sixty_four(from + static_cast<std::ptrdiff_t>(r) * stride + k,
                                             factors[r]),
                                  offset)
                            : offset;
        transpose_16x16(values);
        for (int i = 0; i < 16; ++i) _mm512_store_si512(to + (k / 4 + i) * 256, values[i]);
    }
}

JIKJI_VNNI void round_row(const float* from, int block, std::int8_t* to, float* scale,
                          std::int32_t* start) {
    const float most = largest(from, block);
    *scale = most / 127.0f;
    const __m512 factor = _mm512_set1_ps(most > 0 ? 127.0f / most : 0.0f);
    __m512i sum = _mm512_setzero_si512();
    const __m512i ones = _mm512_set1_epi8(1);
    for (int k = 0; k < block; k += 64) {
        const __m512i values = sixty_four(from + k, factor);
        sum = _mm512_dpbusd_epi32(sum, ones, values);
        _mm512_storeu_si512(to + k, values);
    }
    *start = -128 * _mm512_reduce_add_epi32(sum);
}

JIKJI_VNNI void multiply_block(const std::uint8_t* weights, int block, const Int8Inputs& x,
                               int rows, float* strip) {
    const int tiles = (rows + kTileRows - 1) / kTileRows;  // of nearly equal height
    int first = 0;
    for (int left = tiles; left > 0; --left) {
        const int height = (rows - first + left - 1) / left;
        switch (height) {
            case 1: tile<1>(weights, block, x, first, strip); break;
            case 2: tile<2>(weights, block, x, first, strip); break;
            case 3: tile<3>(weights, block, x, first, strip); break;
            case 4: tile<4>(weights, block, x, first, strip); break;
            case 5: tile<5>(weights, block, x, first, strip); break;
            default: tile<6>(weights, block, x, first, strip); break;
        }
        first += height;
    }
}

}  // namespace jikji::gemm

#else  // never called: has_int8() is false

namespace jikji::gemm {
void pack_rows(const float*, int, int, int, std::uint8_t*, float*) {}
void round_row(const float*, int, std::int8_t*, float*, std::int32_t*) {}
void multiply_block(const std::uint8_t*, int, const Int8Inputs&, int, float*) {}
}  // namespace jikji::gemm

#endif
