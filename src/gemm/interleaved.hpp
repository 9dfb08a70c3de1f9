#pragma once
// Products of few rows (decoding: 1 to about 16 tokens) with weights in ggml's 4- and 8-bit blocks,
// laid out so that one vector register holds 16 rows. Same numbers as ggml's own products: the
// weights are those of the file, the inputs are rounded to 8 bits in blocks of 32 as ggml does;
// only sums are ordered differently. Made because ggml has no interleaved form of Q4_1 and Q8_0
// on x86: SmolLM2 (Q4_1) spent 66 % of a token's time in their dot products, at half the rate at
// which memory delivers.
//
// Shapes    weights: n rows of k, n a multiple of 16, k of 32. y[m x n] = x[m x k] · wᵀ.
// Layout    groups of 16 rows, one after the other; in a group, blocks of 32 columns. A block:
//           16 scales, (Q4_1) 16 minima, then for each 4 bytes of a row those of all 16 rows. As
//           many bytes as the rows had before.
// Threads   any; the functions keep nothing.
#include <cstddef>
#include <cstdint>

namespace jikji::gemm {

/// w = d·(q - 8), d·q + m, d·q: q has 4, 4 and 8 bits; d and m are float16.
enum class BlockType { kQ4_0, kQ4_1, kQ8_0 };

inline constexpr int kInterleavedRows = 16;
inline constexpr int kBlockColumns = 32;

/// Whether this CPU has instructions that make the layout worth it: AVX512-VNNI for all types, AVX2
/// for those of 4 bits.
bool interleaving_pays(BlockType type);

/// Bytes of n rows of k, the same in ggml's order and in ours.
std::size_t block_bytes(BlockType type, std::int64_t n, std::int64_t k);

/// From ggml's order to ours. `blocks` and `packed` are block_bytes() each and do not overlap.
void interleave(BlockType type, const void* blocks, std::int64_t n, std::int64_t k, void* packed);

/// Inputs, rounded to 8 bits: bytes of one row of k, and how to fill them.
std::size_t rounded_bytes(std::int64_t k);
void round_row(const float* x, std::int64_t k, void* rounded);

/// `m` rounded rows, one after the other, times the weights' groups begin..end-1: fills
/// y[i * ldy + 16 * begin .. 16 * end) for every row i. `packed` is the whole matrix.
struct InterleavedProduct {
    BlockType type;
    const void* packed;
    std::int64_t k;
    const void* rounded;
    int m;
    float* y;
    std::int64_t ldy;  // floats from row to row
};
void multiply(const InterleavedProduct& product, std::int64_t begin, std::int64_t end);

/// The same without vector instructions: what the others are held to.
void multiply_plainly(const InterleavedProduct& product, std::int64_t begin, std::int64_t end);

}  // namespace jikji::gemm
