#include "gemm/products.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "gemm/bf16.hpp"
#include "gemm/products_ways.hpp"

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

using Way = void (*)(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads);

void own(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads) {
    product_by_kernels(a, b, c, ldc, add, threads, false);
}
void portable(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads) {
    product_by_kernels(a, b, c, ldc, add, threads, true);
}

std::vector<float> run(Way way, const Factor& a, const Factor& b, const Case& c, bool add,
                       int threads) {
    std::vector<float> out(static_cast<std::size_t>(c.m * (c.n + c.gap)), kBefore);
    way(a, b, out.data(), c.n + c.gap, add, threads);
    return out;
}

void check(Way way, Precision precision, const Case& c, bool turn_a, bool turn_b, bool add) {
    CAPTURE(c.m);
    CAPTURE(c.n);
    CAPTURE(c.k);
    CAPTURE(turn_a);
    CAPTURE(turn_b);
    CAPTURE(add);
    const Matrix a(c.m, c.k, c.gap, turn_a, 1);
    const Matrix b(c.k, c.n, c.gap, turn_b, 2);
    const auto got = run(way, a.factor(precision), b.factor(precision), c, add, 2);
    CHECK(worst(a, b, c, got, add) < 4);
    bool untouched = true;  // what lies between the rows is not ours
    for (int row = 0; row < c.m; ++row)
        for (int column = c.n; column < c.n + c.gap; ++column)
            untouched &= got[static_cast<std::size_t>(row * (c.n + c.gap) + column)] == kBefore;
    CHECK(untouched);
    CHECK(run(way, a.factor(precision), b.factor(precision), c, add, 2) == got);
}

void check_all(Way way) {
    for (const Precision precision : {Precision::kF32, Precision::kBf16})
        for (const Case& c : kCases)
            for (const bool turn_a : {false, true})
                for (const bool turn_b : {false, true})
                    for (const bool add : {false, true})
                        check(way, precision, c, turn_a, turn_b, add);
}

}  // namespace

TEST_CASE("products of plain matrices, either transposed, written or added, equal double sums") {
    // What this CPU uses, and what others would.
    for (const Way way : {product, product_by_onednn, portable}) check_all(way);
}

TEST_CASE("our products are the same, bit for bit, by any number of threads and in any company") {
    const Case wide{70, 150, 1500, 3};
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        const Matrix a(wide.m, wide.k, 0, false, 3);
        const Matrix b(wide.k, wide.n, 0, true, 4);
        const auto all = run(own, a.factor(precision), b.factor(precision), wide, true, 1);
        for (const int threads : {2, 3, 5})
            CHECK(run(own, a.factor(precision), b.factor(precision), wide, true, threads) == all);
        const Case few{9, wide.n, wide.k, wide.gap};  // the first rows alone
        Factor rows = a.factor(precision);
        rows.rows = few.m;
        const auto alone = run(own, rows, b.factor(precision), few, true, 2);
        CHECK(std::equal(alone.begin(), alone.end(), all.begin()));
    }
}

TEST_CASE("more depth than is packed at once gives the same sums") {
    const Case c{600, 8, 4000, 0};
    const Matrix a(c.m, c.k, 0, true, 5);
    const Matrix b(c.k, c.n, 0, false, 6);
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        const auto got = run(own, a.factor(precision), b.factor(precision), c, false, 2);
        for (const int row : {0, 311, 599})
            for (int column = 0; column < c.n; ++column) {
                double sum = 0;
                for (int i = 0; i < c.k; ++i) sum += a.at(row, i) * b.at(i, column);
                const auto at = static_cast<std::size_t>(row * c.n + column);
                CHECK(got[at] == doctest::Approx(sum).epsilon(1e-5).scale(100));
            }
    }
}

TEST_SUITE_END();
