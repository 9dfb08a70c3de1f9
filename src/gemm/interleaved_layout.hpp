#pragma once
// How interleaved weights and rounded inputs lie in memory; for interleaved*.cpp only.
#include <cstdint>
#include <cstring>

#include "gemm/interleaved.hpp"

namespace jikji::gemm {

/// What differs between the types. Values are kept without a sign (`zero` is what stands for 0),
/// since VPDPBUSD and VPMADDUBSW want one factor unsigned.
template <BlockType type>
struct Layout;

template <>
struct Layout<BlockType::kQ4_0> {
    static constexpr int kQuants = 16;  // bytes of one row in a block
    static constexpr int kZero = 8;
    static constexpr bool kMinima = false;
    static constexpr bool kNibbles = true;
};
template <>
struct Layout<BlockType::kQ4_1> {
    static constexpr int kQuants = 16;
    static constexpr int kZero = 0;
    static constexpr bool kMinima = true;
    static constexpr bool kNibbles = true;
};
template <>
struct Layout<BlockType::kQ8_0> {
    static constexpr int kQuants = 32;
    static constexpr int kZero = 128;  // signed in the file; turned by the top bit when interleaved
    static constexpr bool kMinima = false;
    static constexpr bool kNibbles = false;
};

/// Offsets in a packed block, bytes.
template <BlockType type>
struct Packed {
    using L = Layout<type>;
    static constexpr int kMinima = 2 * kInterleavedRows;  // after the scales
    static constexpr int kQuants = kMinima * (L::kMinima ? 2 : 1);
    static constexpr int kBytes = kQuants + L::kQuants * kInterleavedRows;
};

/// One block of a rounded input row: x ≈ scale · values; sum is that of the values.
struct RoundedBlock {
    float scale;
    std::int32_t sum;
    std::int8_t values[kBlockColumns];
};

using GroupKernel = void (*)(const std::uint8_t* group, std::int64_t blocks,
                             const RoundedBlock* rounded, float* y, std::int64_t ldy);

/// Kernels of one group of 16 rows with m = 1..kRowsMax input rows, or null.
inline constexpr int kRowsMax = 4;
GroupKernel avx512_kernel(BlockType type, int m);
GroupKernel avx2_kernel(BlockType type, int m);

/// round_row() with vector instructions; false if this CPU has none of them.
bool round_row_avx2(const float* x, std::int64_t k, RoundedBlock* out);

}  // namespace jikji::gemm
