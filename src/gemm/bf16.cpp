#include "gemm/bf16.hpp"

#include "base/cpu.hpp"
#include "gemm/features.hpp"

namespace jikji::gemm {
namespace {

void round_plainly(const float* from, Bf16* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) to[i] = to_bf16(from[i]);
}

#ifdef JIKJI_X86
JIKJI_AVX512_BF16 void round_avx512(const float* from, Bf16* to, std::size_t count) {
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m512bh pair =
            _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
        _mm512_storeu_si512(to + i, reinterpret_cast<const __m512i&>(pair));
    }
    round_plainly(from + i, to + i, count - i);
}
#endif

}  // namespace

void to_bf16(const float* from, Bf16* to, std::size_t count) {
#ifdef JIKJI_X86
    if (cpu::has_avx512_bf16()) return round_avx512(from, to, count);
#endif
    round_plainly(from, to, count);
}

}  // namespace jikji::gemm
