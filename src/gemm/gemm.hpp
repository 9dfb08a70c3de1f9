#pragma once
// Matrix products for prefill, encoders and training: large, dense, on the CPU.
//
// Shapes    row-major; "weights" are n rows of k, as a GGUF has them: y[m×n] = x[m×k] · wᵀ.
// Threads   one caller at a time in the process (the compute thread); the product itself runs on
//           `threads` OpenMP threads, the same team that ggml's products use, so the two never
//           compete. Panels may be read by any thread.
// Precision kBf16 rounds both factors to bfloat16 (nearest, ties to even) and sums in float32.
//           kInt8 rounds both to 8 bits in blocks of 64 columns that have a scale each, kInt8Wide
//           in blocks of 256: for weights that came from 8 bits or fewer, in blocks as long as
//           those in which ggml rounds the inputs of such weights.
// Speed     2 Zen 5 cores, 512 rows: 1,000 GFLOP/s in bf16 (oneDNN 2.6.3), 1,300 to 1,480 in kInt8,
//           1,850 in kInt8Wide. With few rows it is bound by reading the panels, at the rate of the
//           cache or memory that they lie in.
//
// A trainer's x · w (not transposed) and y += … will be further functions on the same Panels type.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace jikji::gemm {

using Bf16 = std::uint16_t;  // the upper half of a float32

enum class Precision { kF32, kBf16, kInt8, kInt8Wide };

/// The fastest that this CPU has instructions for: kBf16 with AVX512-BF16 or AMX-BF16, else kF32.
Precision best_precision();
/// The same for weights that came from 8 bits or fewer in blocks of `block`, with rows of k: with
/// AVX512-VNNI kInt8Wide if both are multiples of 256, kInt8 if k is one of 64; else
/// best_precision().
Precision best_precision_of_quantised(int block, int k);

/// Where the rows of a weight matrix come from, for example blocks of a GGUF: writes rows
/// row..row+rows-1, columns column..column+columns-1 to out, `stride` floats from row to row.
/// Called from several threads at once, never throws. `column` is a multiple of kChunk, and so is
/// `columns` except at the end of a row; of 64, for kInt8.
using Source =
    std::function<void(int row, int rows, int column, int columns, float* out, int stride)>;

/// The largest block of the quantised formats, in values: a Source never sees half a block.
inline constexpr int kChunk = 256;

/// A weight matrix, laid out once for many products.
class Panels {
public:
    /// `rows` holds n x k floats; `precision` says how they are kept.
    Panels(std::span<const float> rows, int n, int k, Precision precision);
    /// The same from a source, read by `threads` threads.
    Panels(const Source& source, int n, int k, Precision precision, int threads);
    ~Panels();
    Panels(Panels&&) noexcept;
    Panels& operator=(Panels&&) noexcept;

    int n() const noexcept;
    int k() const noexcept;
    std::size_t bytes() const noexcept;

    /// What Panels of this size take.
    static std::size_t bytes_of(int n, int k, Precision precision);

    struct Data;
    const Data& data() const { return *data_; }

private:
    std::unique_ptr<Data> data_;
};

/// y[m×n] = x[m×k] · wᵀ, float32 in and out; ldx and ldy are floats from row to row.
void multiply(const float* x, int m, int ldx, const Panels& w, float* y, int ldy, int threads);

/// The same for weights that are not kept: a few hundred rows at a time become panels that stay in
/// the cache until their product is done.
void multiply(const float* x, int m, int ldx, const Source& w, int n, int k, Precision precision,
              float* y, int ldy, int threads);

/// The definition, for tests, one thread: `w` holds n rows of k; sums in double.
void multiply_exactly(const float* x, int m, int ldx, const float* w, int n, int k, float* y,
                      int ldy);

}  // namespace jikji::gemm
