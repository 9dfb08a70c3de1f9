#pragma once
// Products of plain matrices, as a trainer needs them: any of the factors transposed, added to what
// is there. For frozen weights that meet many rows, Panels (gemm.hpp) may be faster.
//
// Shapes     row-major, `stride` elements from row to row; m x n = (m x k) · (k x n).
// Precision  both factors float32, or both bfloat16; sums and result are float32.
// Threads    as gemm.hpp. The result is the same, bit for bit, in every run with as many threads.
#include <cstddef>

#include "gemm/gemm.hpp"

namespace jikji::gemm {

/// A matrix in memory that is used as it lies, or as its transpose. Not owned.
struct Factor {
    const void* data = nullptr;
    Precision precision = Precision::kF32;  // kF32 or kBf16
    int rows = 0;                           // as they lie
    int columns = 0;
    std::ptrdiff_t stride = 0;
    bool transposed = false;
};

/// c = a · b, or c += a · b if `add`. Requires: equal precisions, sizes that agree.
void product(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads);

}  // namespace jikji::gemm
