#include "gemm/products.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "gemm/bf16.hpp"

TEST_SUITE_BEGIN("products");

using namespace jikji::gemm;

namespace {

/// Values that bfloat16 holds, so that both precisions have the same product.
std::vector<float> random_values(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> out(count);
    for (float& x : out) x = from_bf16(to_bf16(normal(random)));
    return out;
}

struct Matrix {
    std::vector<float> values;
    std::vector<Bf16> halves;
    int rows, columns, stride;
    bool transposed;

    /// `rows` x `columns` as it is used; `gap` more elements from row to row.
    Matrix(int used_rows, int used_columns, int gap, bool turned, unsigned seed)
        : rows(turned ? used_columns : used_rows),
          columns(turned ? used_rows : used_columns),
          stride(columns + gap),
          transposed(turned) {
        values =
            random_values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(stride), seed);
        for (const float x : values) halves.push_back(to_bf16(x));
    }
    Factor factor(Precision precision) const {
        const bool bf16 = precision == Precision::kBf16;
        return {bf16 ? static_cast<const void*>(halves.data()) : values.data(),
                precision,
                rows,
                columns,
                stride,
                transposed};
    }
    double at(int row, int column) const {
        const int place = transposed ? column * stride + row : row * stride + column;
        return values[static_cast<std::size_t>(place)];
    }
};

struct Case {
    int m, n, k, gap;
};

const Case kCases[] = {{1, 1, 1, 0},      {1, 97, 64, 0},   {3, 64, 576, 5},   {16, 576, 8, 0},
                       {33, 8, 200, 3},   {600, 16, 70, 0}, {7, 100, 31, 1},   {130, 65, 513, 2},
                       {16, 120, 600, 0}, {2, 3, 1000, 7},  {61, 192, 300, 64}};

constexpr float kBefore = 0.5f;

/// The largest error, in units of the rounding that a sum of k products may have.
double worst(const Matrix& a, const Matrix& b, const Case& c, const std::vector<float>& got,
             bool add) {
    double out = 0;
    for (int row = 0; row < c.m; ++row)
        for (int column = 0; column < c.n; ++column) {
            double sum = add ? kBefore : 0;
            for (int i = 0; i < c.k; ++i) sum += a.at(row, i) * b.at(i, column);
            const auto at = static_cast<std::size_t>(row * (c.n + c.gap) + column);
            out = std::max(out, std::abs(got[at] - sum));
        }
    return out / (1e-6 * std::sqrt(static_cast<double>(c.k)) + 1e-6);
}

std::vector<float> run(const Matrix& a, const Matrix& b, const Case& c, Precision precision,
                       bool add, int threads) {
    std::vector<float> out(static_cast<std::size_t>(c.m * (c.n + c.gap)), kBefore);
    product(a.factor(precision), b.factor(precision), out.data(), c.n + c.gap, add, threads);
    return out;
}

}  // namespace

TEST_CASE("products of plain matrices, either transposed, written or added, equal double sums") {
    for (const Precision precision : {Precision::kF32, Precision::kBf16})
        for (const Case& c : kCases)
            for (const int way : {0, 1, 2, 3, 4, 5, 6, 7}) {
                CAPTURE(c.m);
                CAPTURE(c.n);
                CAPTURE(c.k);
                CAPTURE(way);
                const Matrix a(c.m, c.k, c.gap, (way & 1) != 0, 1);
                const Matrix b(c.k, c.n, c.gap, (way & 2) != 0, 2);
                const bool add = (way & 4) != 0;
                const auto got = run(a, b, c, precision, add, 2);
                CHECK(worst(a, b, c, got, add) < 4);
                for (int row = 0; row < c.m; ++row)  // what lies between the rows is not ours
                    for (int column = c.n; column < c.n + c.gap; ++column)
                        CHECK(got[static_cast<std::size_t>(row * (c.n + c.gap) + column)] ==
                              kBefore);
                CHECK(run(a, b, c, precision, add, 2) == got);
            }
}

TEST_SUITE_END();
