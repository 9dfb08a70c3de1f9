#pragma once
// Sixteen rows of floats to the bf16 layout that oneDNN's kernels read.
#include "gemm/gemm.hpp"

namespace jikji::gemm {

inline constexpr int kTileRows = 64;   // rows (n) that lie side by side
inline constexpr int kTileDepth = 32;  // columns (k) are padded to a multiple of this

/// `from` has 16 rows of `columns` floats (a multiple of 32), `stride` floats apart. Writes the
/// pairs of columns: to[pair][row][2], 64 rows (128 values) from pair to pair.
void tile_rows(const float* from, int stride, int columns, Bf16* to);

}  // namespace jikji::gemm
