#pragma once
// Private to gemm: the inner loops of attention, once per instruction set.
//
// A tile is up to 32 queries of one head against a block of 64 keys. Queries lie across the lanes
// of vectors, so the softmax of 16 queries needs no sum across lanes:
//   q panel   [dim / pair][lanes][pair]    k panel  [keys][dim]
//   v panel   [keys / pair][dim_v][pair]   o        float [dim_v][lanes]
// with pair = 2 and bfloat16 where the CPU multiplies pairs of them, else 1 and float32.
#include <bit>
#include <cstddef>
#include <cstdint>

#include "gemm/attention.hpp"

namespace jikji::gemm {

constexpr int kAttentionKeys = 64;   // of a block
constexpr int kAttentionLanes = 32;  // queries of a tile; 16 where fewer are left
constexpr int kAttentionDimMax = 512;
constexpr float kLogitFloor = -1e30f;  // below every score; finite, so that differences are numbers

/// The running state of one tile's softmax.
struct AttentionState {
    float* o;    // [dim_v][lanes], scaled by e^-top
    float* top;  // [lanes], the greatest score so far, or kLogitFloor
    float* sum;  // [lanes], of e^(score - top)
};

struct AttentionBlock {
    const void* q;
    const void* k;
    const void* v;
    const float* bias;  // [keys][lanes], -inf hides; null: every key is visible, nothing is added
    float* scores;      // work space: [keys][lanes]
    void* weights;      // work space: as scores
    int dim;
    int dim_v;
    int lanes;  // 16 or 32
    float scale;
    float slope;  // factor of bias
    float softcap;
};

/// One query in all heads of a group, over keys that lie anywhere: no panels, float32 throughout.
struct AttentionRows {
    const std::byte* q;   // float32; `heads` rows
    std::size_t q_bytes;  // from a head to the next
    int heads;
    const HeadRows* k;  // of which `k_first` is row 0 of the group's head
    const std::byte* k_first;
    const HeadRows* v;
    const std::byte* v_first;
    const int* keys;
    int count;
    float scale;
    float softcap;
    const std::uint16_t*
        bias;             // the query's row of the mask, if a key has more there than 0; or null
    const float* slopes;  // per head, its factor
    float* out;           // per head: o, not yet divided, then top, then sum
    int out_row;
};

struct AttentionKernels {
    std::size_t element_bytes;  // of a panel
    /// `rows` of `dim` floats, `row_bytes` apart, to the lanes of a q panel; the rest becomes zero.
    void (*pack_q)(const float* q, std::size_t row_bytes, int rows, int dim, int lanes, void* out);
    /// `rows` (up to kAttentionKeys) rows to one block's panel; the rest becomes zero.
    void (*pack_k)(const HeadRows& k, const std::byte* first, int rows, void* out);
    void (*pack_v)(const HeadRows& v, const std::byte* first, int rows, void* out);
    /// `rows` rows of a mask, `mask_row` elements apart and `keys` wide, to the lanes of a block's
    /// bias; what lies beyond them is hidden.
    void (*spread_bias)(const std::uint16_t* mask, std::size_t mask_row, int rows, int keys,
                        int lanes, float* out);
    /// Takes one block of keys into the state.
    void (*attend)(const AttentionBlock& block, const AttentionState& state);
    void (*attend_rows)(const AttentionRows& rows);
};

const AttentionKernels& portable_attention() noexcept;
/// Requires: the CPU has AVX2, FMA and F16C, or AVX512 F, BW, VL and BF16. On other architectures
/// both are the portable kernels.
const AttentionKernels& avx2_attention() noexcept;
const AttentionKernels& avx512_attention() noexcept;

/// ALiBi's factor of a head's mask; 1 without ALiBi.
float slope_of(float max_bias, int head, int heads);

/// Exact. Without branches, so that loops over it become vector code.
inline float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t bits = static_cast<std::uint32_t>(half & 0x7FFFu) << 13;
    // The exponent's bias is 127 instead of 15; the product also makes subnormals right.
    std::uint32_t scaled = std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) * 0x1p112f);
    scaled |= bits >= 0x0F800000u ? 0x7F800000u : 0u;  // infinities and NaNs
    return std::bit_cast<float>(scaled | static_cast<std::uint32_t>(half & 0x8000u) << 16);
}

}  // namespace jikji::gemm
