#pragma once
// What this CPU can do, asked when the program runs: it may have been built on another one.
// JIKJI_CPU = portable | avx2 | avx512 | avx512_bf16 leaves out all that is above it, so that the
// forms for lesser CPUs can be tested and compared on a better one. It binds what Jikji computes
// itself and oneDNN; ggml asks the CPU on its own. Threads: any; the answer never changes.

namespace jikji::cpu {

enum class Level { kPortable, kAvx2, kAvx512, kAvx512Bf16, kAll };

/// The most that may be used: what JIKJI_CPU says, else kAll. It may be more than the CPU has.
Level level() noexcept;

bool has_avx2() noexcept;         // with FMA and F16C
bool has_avx512() noexcept;       // F, BW, DQ and VL, beside AVX2
bool has_avx512_vnni() noexcept;  // from kAvx512Bf16 on, though some CPUs have it alone
bool has_avx512_bf16() noexcept;
bool has_amx_bf16() noexcept;

}  // namespace jikji::cpu
