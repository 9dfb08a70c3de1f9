#pragma once
// The inner loops of int8.cpp, which runs them only where has_int8() is true.
#include <cstdint>

namespace jikji::gemm {

/// `rows` (1..16) rows of `block` floats, `stride` apart, become bytes with 128 added:
/// to[block/4][row][4], 64 rows from one to the next; and their scales. What is above `rows` is
/// zero.
void pack_rows(const float* from, int stride, int rows, int block, std::uint8_t* to, float* scales);

/// One row of `block` floats to signed bytes; start is -128 times their sum.
void round_row(const float* from, int block, std::int8_t* to, float* scale, std::int32_t* start);

struct Int8Inputs {
    const std::int8_t* values;   // [rows][block]
    const float* scales;         // [rows]
    const std::int32_t* starts;  // [rows]
};

/// strip[rows][64] += the product of one block: `weights` are [block/4][64][4] and 64 scales.
void multiply_block(const std::uint8_t* weights, int block, const Int8Inputs& x, int rows,
                    float* strip);

}  // namespace jikji::gemm
