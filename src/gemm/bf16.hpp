#pragma once
// float32 to bfloat16, rounded to nearest, ties to even, as AVX512-BF16 does it.
#include <bit>
#include <cstdint>

#include "gemm/gemm.hpp"

namespace jikji::gemm {

inline Bf16 to_bf16(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Bf16>((bits >> 16) | 0x40u);  // NaN
    return static_cast<Bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline float from_bf16(Bf16 x) { return std::bit_cast<float>(static_cast<std::uint32_t>(x) << 16); }

/// `count` values; the vector instructions of the CPU where it has them.
void to_bf16(const float* from, Bf16* to, std::size_t count);

}  // namespace jikji::gemm
