#pragma once
// Inside of gemm: the loops of products.cpp, one set for each kind of CPU.
//
// A factor is packed into panels of 16 lanes (rows of the left one, columns of the right one):
// panel[step][lane], a step being 32 bits of the depth: one float32, or two bfloat16. What is
// missing at the edges is zero.
#include <cstddef>
#include <cstdint>

#include "gemm/gemm.hpp"

namespace jikji::gemm {

inline constexpr int kLanes = 16;
inline constexpr int kStripPanels = 3;  // of the right factor, that a kernel uses at once

using Step = std::uint32_t;

/// A part of a factor to pack.
struct PackPart {
    const void* from;          // the value at lane 0, depth 0
    std::ptrdiff_t lane;       // values from lane to lane
    std::ptrdiff_t depth_gap;  // values from depth to depth; one of the two is 1
    int lanes;
    int depth;
};

struct Tile {
    float* c;
    std::ptrdiff_t ldc;
    int rows;     // 1 to 16
    int columns;  // 1 to 48
    bool add;
};

struct ProductKernels {
    /// Writes panel after panel, each of ceil(depth / values of a step) steps.
    void (*pack)(const PackPart& part, Step* to);
    /// c = or += a · b for one panel of `a` and up to three of `b`, which lie one behind the other.
    void (*multiply)(const Step* a, const Step* b, int steps, const Tile& tile);
};

/// For this CPU; each sum is made in the same order by every call. `portable`: without any
/// instruction that a CPU may lack.
const ProductKernels& product_kernels(Precision precision, bool portable);

/// Whether the kernels above are as fast as oneDNN's.
bool product_kernels_are_best(Precision precision);

}  // namespace jikji::gemm
