#pragma once
// Inside of gemm: products of weights and inputs that are both rounded to 8 bits, for CPUs with
// AVX512-VNNI. A weight takes one byte: half the reading, twice the rate of bf16.
//
// Both factors are cut into blocks of columns (64 or 256, which must divide k) with a scale each,
// and |value| <= 127 · scale. Weights are kept with 128 added (the instruction multiplies unsigned
// by signed); what that adds to a sum, 128 · Σx, is known when x is rounded, and is where sums
// start. Weights  [n/64][k/block]{ [block/4][64][4] bytes, 64 scales } Inputs   [k/block][m][block]
// bytes Source   ggml's own products round their inputs in the same way, in blocks of 32 or 256.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "gemm/gemm.hpp"

namespace jikji::gemm {

inline constexpr int kInt8Width = 64;  // rows of weights side by side
inline constexpr int kInt8Rows = 512;  // rows of x that are worked on together, at most
inline constexpr int kInt8BlockMost = 256;

bool has_int8();
/// Columns of a block; 0 if the precision has none.
constexpr int block_of(Precision precision) {
    return precision == Precision::kInt8 ? 64 : precision == Precision::kInt8Wide ? 256 : 0;
}

struct FreeBytes {
    void operator()(std::uint8_t* bytes) const noexcept;
};
using Bytes = std::unique_ptr<std::uint8_t[], FreeBytes>;
Bytes make_bytes(std::size_t size);  // on a page of their own

std::size_t int8_bytes(int n, int k, int block);
void fill_int8(const Source& source, int n, int k, int block, std::uint8_t* panels, int threads);

/// y[m×n] = x[m×k] · wᵀ; panels as fill_int8() made them.
void multiply_int8(const float* x, int m, int ldx, const std::uint8_t* panels, int n, int k,
                   int block, float* y, int ldy, int threads);
/// The same; every block of weights is read from its source just before its product.
void multiply_int8(const float* x, int m, int ldx, const Source& source, int n, int k, int block,
                   float* y, int ldy, int threads);

}  // namespace jikji::gemm
