#pragma once
// What this CPU can do, asked when the program runs: it may have been built on another one.

#if defined(__x86_64__) && defined(__GNUC__)
#define JIKJI_X86 1
#include <immintrin.h>
#ifndef __clang__
// GCC 12 takes the undefined operands inside its own AVX-512 intrinsics for our mistakes (PR
// 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
// For functions that only run after has_avx512_bf16() said yes.
#define JIKJI_AVX512_BF16 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c")))
#endif

namespace jikji::gemm {

inline bool has_avx512_bf16() {
#ifdef JIKJI_X86
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#else
    return false;
#endif
}

}  // namespace jikji::gemm
