#pragma once
// Memory of a pass: large arrays without initial values, and factors of products in the precision
// in which they are multiplied. Threads: one owner.
#include <cstddef>
#include <cstdint>
#include <memory>

#include "gemm/bf16.hpp"
#include "gemm/products.hpp"

namespace jikji::training {

/// Bytes that only grow; on large pages where the system has them. What was in them is lost when
/// they grow. Throws std::bad_alloc.
class Buffer {
public:
    void* at_least(std::size_t bytes);
    float* floats(std::size_t count) {
        return static_cast<float*>(at_least(count * sizeof(float)));
    }
    std::size_t bytes() const { return bytes_; }

private:
    struct Free {
        void operator()(void* memory) const noexcept;
    };
    std::unique_ptr<void, Free> memory_;
    std::size_t bytes_ = 0;
};

inline std::size_t bytes_of(gemm::Precision precision) {
    return precision == gemm::Precision::kBf16 ? sizeof(gemm::Bf16) : sizeof(float);
}

/// A matrix of factors, rows of `columns` without gaps. A view.
struct Factors {
    void* data = nullptr;
    gemm::Precision precision = gemm::Precision::kF32;
    int columns = 0;

    void* at(int row, int column = 0) const {
        const std::size_t index =
            static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
            static_cast<std::size_t>(column);
        return static_cast<char*>(data) + index * bytes_of(precision);
    }
    /// Rounds `count` values into a row, from `column`.
    void put(int row, int column, const float* values, int count) const;
    gemm::Factor factor(int rows, bool transposed = false) const {
        return {data, precision, rows, columns, columns, transposed};
    }
};

/// Memory of one Factors.
class FactorBuffer {
public:
    Factors view(gemm::Precision precision, int rows, int columns) {
        return {memory_.at_least(static_cast<std::size_t>(rows) *
                                 static_cast<std::size_t>(columns) * bytes_of(precision)),
                precision, columns};
    }

private:
    Buffer memory_;
};

/// Calls body(first, last) for equal shares of 0..rows-1 (multiples of `step`), one for each of
/// `threads` threads. `body` must not throw.
template <class Body>
void for_shares(int threads, int rows, int step, const Body& body) {
    const int steps = (rows + step - 1) / step;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int share = 0; share < threads; ++share) {
        const auto at = [&](int s) {
            const int row = static_cast<int>(static_cast<std::int64_t>(steps) * s / threads) * step;
            return row < rows ? row : rows;
        };
        if (at(share) < at(share + 1)) body(at(share), at(share + 1));
    }
}

}  // namespace jikji::training
