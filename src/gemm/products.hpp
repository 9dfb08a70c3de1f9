#pragma once
// Products of plain matrices, as a trainer needs them: any of the factors transposed, added to what
// is there. One plain bf16 copy of a weight serves forward (x · Wᵀ) and backward (dy · W).
//
// Shapes     row-major, `stride` elements from row to row; m x n = (m x k) · (k x n). Any size is
//            fast at once: nothing is compiled for it (on CPUs with AMX or without AVX-512 oneDNN
//            computes all but narrow ones, and takes 0.2 to 0.8 ms to make each new shape).
// Precision  both factors float32, or both bfloat16; sums and result are float32.
// Threads    as gemm.hpp. With our own kernels (AVX-512 without AMX, and whatever is under 64 in
//            one of its sizes) each sum is made in one order: the result is the same, bit for bit,
//            by any number of threads, and a row's does not depend on the other rows. With oneDNN
//            it is the same in every run with as many threads.
// Speed      2 Zen 5 cores, GFLOP/s of bf16, 600 rows: SmolLM2's weights 960 to 1,010 either way;
//            512 rows and 7B's weights 850 to 950. Kept Panels reach 1,020 to 1,050, forward only.
//            LoRA of rank 8 beside 576 x 576: 250 to 420. bench/train_products_bench.cpp.
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
