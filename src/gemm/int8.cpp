#include "gemm/int8.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <vector>

#include "base/cpu.hpp"
#include "gemm/int8_kernels.hpp"

namespace jikji::gemm {
namespace {

constexpr std::size_t kAlignment = 64;

int strips_of(int n) { return (n + kInt8Width - 1) / kInt8Width; }

std::size_t block_bytes(int block) {
    return static_cast<std::size_t>(kInt8Width) * (static_cast<std::size_t>(block) + sizeof(float));
}

/// One block of 64 rows of weights, from its source, 16 rows at a time: what fits the first cache.
void fill_block(const Source& source, int n, int row, int column, int block, std::uint8_t* to) {
    alignas(kAlignment) float buffer[16 * kInt8BlockMost];
    auto* scales = reinterpret_cast<float*>(to + static_cast<std::ptrdiff_t>(block) * kInt8Width);
    for (int i = 0; i < kInt8Width; i += 16) {
        const int rows = std::clamp(n - row - i, 0, 16);
        if (rows > 0) source(row + i, rows, column, block, buffer, kInt8BlockMost);
        pack_rows(buffer, kInt8BlockMost, rows, block, to + i * 4, scales + i);
    }
}

/// Some rows of x in 8 bits, block by block. Kept by the calling thread between products.
class Inputs {
public:
    void resize(int rows, int k, int block) {
        rows_ = rows;
        block_ = block;
        const auto count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(k / block);
        if (values_.size() < count * static_cast<std::size_t>(block))
            values_.resize(count * static_cast<std::size_t>(block));
        if (scales_.size() < count) {
            scales_.resize(count);
            starts_.resize(count);
        }
    }
    void round(const float* x, int row, int k) {
        for (int b = 0; b * block_ < k; ++b) {
            const auto at = static_cast<std::size_t>(b) * static_cast<std::size_t>(rows_) +
                            static_cast<std::size_t>(row);
            round_row(x + static_cast<std::ptrdiff_t>(b) * block_, block_,
                      values_.data() + at * static_cast<std::size_t>(block_), &scales_[at],
                      &starts_[at]);
        }
    }
    Int8Inputs at(int b, int row) const {
        const auto i = static_cast<std::size_t>(b) * static_cast<std::size_t>(rows_) +
                       static_cast<std::size_t>(row);
        return {values_.data() + i * static_cast<std::size_t>(block_), scales_.data() + i,
                starts_.data() + i};
    }

private:
    int rows_ = 0;
    int block_ = 0;
    std::vector<std::int8_t> values_;
    std::vector<float> scales_;
    std::vector<std::int32_t> starts_;
};

/// 64 columns of y for some rows: gathered without gaps, since rows of y may lie so that all of
/// them want the same places in the cache.
struct Strip {
    float* sums;
    int first, rows;  // of y

    void write(float* y, int ldy, int column, int n) const {
        const auto bytes =
            static_cast<std::size_t>(std::min(kInt8Width, n - column)) * sizeof(float);
        for (int r = 0; r < rows; ++r)
            std::memcpy(y + static_cast<std::ptrdiff_t>(first + r) * ldy + column,
                        sums + static_cast<std::ptrdiff_t>(r) * kInt8Width, bytes);
    }
};

struct Product {
    int n, k, block;
    const std::uint8_t* panels;  // or null, and
    const Source* source;
    const Inputs& inputs;

    void compute(int strip_index, const Strip& strip, std::uint8_t* scratch) const {
        std::fill_n(strip.sums, strip.rows * kInt8Width, 0.0f);
        const int blocks = k / block;
        for (int b = 0; b < blocks; ++b) {
            const std::uint8_t* weights = scratch;
            if (panels != nullptr) {
                weights = panels +
                          static_cast<std::size_t>(strip_index * blocks + b) * block_bytes(block);
            } else {
                fill_block(*source, n, strip_index * kInt8Width, b * block, block, scratch);
            }
            multiply_block(weights, block, inputs.at(b, strip.first), strip.rows, strip.sums);
        }
    }
};

/// Into how many parts the rows are cut, so that all threads have about the same to do. Weights
/// from a source are read once for each part: there it is one.
int parts_of(int rows, int strips, int threads, bool kept) {
    constexpr int kFewest = 48;  // rows of a part
    if (!kept || strips >= 8 * threads || rows < 2 * kFewest) return 1;
    return std::min(rows / kFewest, 2 * threads);
}

void multiply_some(const float* x, int m, int ldx, Product& product, Inputs& inputs, float* y,
                   int ldy, int threads) {
    const int strips = strips_of(product.n);
    const int parts = parts_of(m, strips, threads, product.panels != nullptr);
    inputs.resize(m, product.k, product.block);
#pragma omp parallel num_threads(threads)
    {
        thread_local std::vector<float> sums;
        thread_local Bytes scratch = make_bytes(block_bytes(kInt8BlockMost));
        if (sums.size() < static_cast<std::size_t>(m) * kInt8Width)
            sums.resize(static_cast<std::size_t>(m) * kInt8Width);
#pragma omp for schedule(static)
        for (int row = 0; row < m; ++row)
            inputs.round(x + static_cast<std::ptrdiff_t>(row) * ldx, row, product.k);
#pragma omp for schedule(static)
        for (int item = 0; item < strips * parts; ++item) {
            const int part = item % parts;
            const int first = m * part / parts;
            const Strip strip{sums.data(), first, m * (part + 1) / parts - first};
            product.compute(item / parts, strip, scratch.get());
            strip.write(y, ldy, item / parts * kInt8Width, product.n);
        }
    }
}

void multiply_all(const float* x, int m, int ldx, const std::uint8_t* panels, const Source* source,
                  int n, int k, int block, float* y, int ldy, int threads) {
    thread_local Inputs inputs;
    Product product{n, k, block, panels, source, inputs};
    for (int first = 0; first < m; first += kInt8Rows)
        multiply_some(x + static_cast<std::ptrdiff_t>(first) * ldx, std::min(kInt8Rows, m - first),
                      ldx, product, inputs, y + static_cast<std::ptrdiff_t>(first) * ldy, ldy,
                      threads);
}

}  // namespace

void FreeBytes::operator()(std::uint8_t* bytes) const noexcept {
    ::operator delete[](bytes, std::align_val_t{kAlignment});
}

Bytes make_bytes(std::size_t size) {
    return Bytes(static_cast<std::uint8_t*>(::operator new[](size, std::align_val_t{kAlignment})));
}

bool has_int8() { return cpu::has_avx512_vnni(); }

std::size_t int8_bytes(int n, int k, int block) {
    return static_cast<std::size_t>(strips_of(n)) * static_cast<std::size_t>(k / block) *
           block_bytes(block);
}

void fill_int8(const Source& source, int n, int k, int block, std::uint8_t* panels, int threads) {
    const int blocks = k / block;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int i = 0; i < strips_of(n) * blocks; ++i)
        fill_block(source, n, i / blocks * kInt8Width, i % blocks * block, block,
                   panels + static_cast<std::size_t>(i) * block_bytes(block));
}

void multiply_int8(const float* x, int m, int ldx, const std::uint8_t* panels, int n, int k,
                   int block, float* y, int ldy, int threads) {
    multiply_all(x, m, ldx, panels, nullptr, n, k, block, y, ldy, threads);
}

void multiply_int8(const float* x, int m, int ldx, const Source& source, int n, int k, int block,
                   float* y, int ldy, int threads) {
    multiply_all(x, m, ldx, nullptr, &source, n, k, block, y, ldy, threads);
}

}  // namespace jikji::gemm
