#pragma once
// Matrix products for prefill, encoders and training: large, dense, on the CPU.
//
// Shapes    row-major; "weights" are n rows of k, as a GGUF has them: y[m×n] = x[m×k] · wᵀ.
// Threads   one caller at a time in the process (the compute thread); the product itself runs on
//           `threads` OpenMP threads, the same team that ggml's products use, so the two never
//           compete.
// Precision kBf16 rounds both factors to bfloat16 and sums in float32.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace jikji::gemm {

using Bf16 = std::uint16_t;  // the upper half of a float32

enum class Precision { kF32, kBf16 };

/// The fastest that this CPU has instructions for: kBf16 with AVX512-BF16 or AMX-BF16, else kF32.
Precision best_precision();

/// A weight matrix, laid out once for many products.
class Panels {
public:
    /// `rows` holds n x k floats; `precision` says how they are kept.
    Panels(std::span<const float> rows, int n, int k, Precision precision);
    ~Panels();
    Panels(Panels&&) noexcept;
    Panels& operator=(Panels&&) noexcept;

    int n() const noexcept;
    int k() const noexcept;
    std::size_t bytes() const noexcept;

    struct Data;
    const Data& data() const { return *data_; }

private:
    std::unique_ptr<Data> data_;
};

/// y[m×n] = x[m×k] · wᵀ, float32 in and out; ldx and ldy are floats from row to row.
void multiply(const float* x, int m, int ldx, const Panels& w, float* y, int ldy, int threads);

}  // namespace jikji::gemm
