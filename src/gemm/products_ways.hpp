#pragma once
// Inside of gemm: the two ways to a product (products.hpp), for product() to choose from and for
// tests to compare. Sizes and precisions are checked by product().
#include "gemm/products.hpp"

namespace jikji::gemm {

/// By oneDNN; in float32 where it has no fast bfloat16. To make a new shape takes it 0.2 to 0.8 ms.
void product_by_onednn(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads);

/// By our own kernels; any shape at once, the same sums for any number of threads.
void product_by_kernels(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads,
                        bool portable);

}  // namespace jikji::gemm
