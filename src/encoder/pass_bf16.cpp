// The steps of pass.hpp for AVX512-BF16: one instruction multiplies and adds 32 pairs of bfloat16.
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "encoder/dequantise.hpp"
#include "encoder/pass.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")

namespace jikji::encoder {
namespace {

constexpr int kLanes = 16;
constexpr int kTileRows = 12;
constexpr const char* kName = "bf16";

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
using Half = std::uint16_t;
constexpr bool kBf16 = true;
constexpr int kUnit = 2;

inline __m512i panel_at(const Half* from) { return _mm512_loadu_si512(from); }
inline __m512i unit_at(const Half* from) {
    std::int32_t pair = 0;
    __builtin_memcpy(&pair, from, sizeof pair);
    return _mm512_set1_epi32(pair);
}
inline Vec multiply_add(Vec total, __m512i unit, __m512i panel) {
    return _mm512_dpbf16_ps(total, reinterpret_cast<__m512bh>(unit),
                            reinterpret_cast<__m512bh>(panel));
}
inline void store_pair(Half* to, Vec left, Vec right) {
    const __m512bh both = _mm512_cvtne2ps_pbh(right, left);
    __builtin_memcpy(to, &both, sizeof both);
}

}  // namespace
}  // namespace jikji::encoder

#include "encoder/pass_steps.hpp"

namespace jikji::encoder {
const Steps kBf16Steps = kSteps;
}  // namespace jikji::encoder
#endif
