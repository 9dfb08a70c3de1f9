#pragma once
// For functions that are compiled for more than every x86-64 has, and run where base/cpu.hpp says
// that the CPU has it.

#if defined(__x86_64__) && defined(__GNUC__)
#define JIKJI_X86 1
#include <immintrin.h>
#ifndef __clang__
// GCC 12 takes the undefined operands inside its own AVX-512 intrinsics for our mistakes (PR
// 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
// Only after cpu::has_avx512_bf16() said yes.
#define JIKJI_AVX512_BF16 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c")))
#endif
