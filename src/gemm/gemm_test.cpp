#include "gemm/gemm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

#include "gemm/bf16.hpp"

TEST_SUITE_BEGIN("gemm");

using namespace jikji::gemm;

namespace {

std::vector<float> random_floats(int count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& x : out) x = normal(random);
    return out;
}

std::vector<float> rounded(std::vector<float> values) {
    for (float& x : values) x = from_bf16(to_bf16(x));
    return values;
}

/// Rounded to 8 bits in blocks, each with a scale of its own, as gemm.hpp promises.
std::vector<float> rounded_in_blocks(std::vector<float> values, std::size_t block) {
    for (std::size_t at = 0; at < values.size(); at += block) {
        float most = 0;
        for (std::size_t i = at; i < at + block; ++i) most = std::max(most, std::abs(values[i]));
        for (std::size_t i = at; i < at + block && most > 0; ++i)
            values[i] = std::nearbyint(values[i] * (127.0f / most)) * (most / 127.0f);
    }
    return values;
}

struct Case {
    int m, n, k, ldx, ldy;
};

const Case kCases[] = {{1, 1, 1, 1, 1},          {1, 97, 64, 64, 97},      {3, 64, 576, 576, 64},
                       {16, 576, 576, 600, 700}, {33, 192, 200, 200, 192}, {7, 100, 31, 31, 100},
                       {130, 65, 513, 513, 80}};

/// The largest difference, in units of the rounding error that a sum of k products may have.
double worst(const Case& c, const std::vector<float>& got, const std::vector<float>& expected) {
    double out = 0;
    for (int row = 0; row < c.m; ++row)
        for (int column = 0; column < c.n; ++column) {
            const auto at = static_cast<std::size_t>(row * c.ldy + column);
            out = std::max(out, std::abs(static_cast<double>(got[at]) - expected[at]));
        }
    return out / (1e-6 * std::sqrt(static_cast<double>(c.k)) + 1e-6);
}

Source source_of(const std::vector<float>& w, int k) {
    return [&w, k](int row, int rows, int column, int columns, float* out, int stride) {
        for (int i = 0; i < rows; ++i)
            for (int j = 0; j < columns; ++j)
                out[i * stride + j] = w[static_cast<std::size_t>((row + i) * k + column + j)];
    };
}

bool has_8_bits() { return best_precision_of_quantised(32, 64) == Precision::kInt8; }

std::vector<Precision> precisions() {
    if (best_precision() == Precision::kBf16) return {Precision::kF32, Precision::kBf16};
    return {Precision::kF32};
}

}  // namespace

TEST_CASE("kept panels and slabs give the product of the rounded factors") {
    for (const Precision precision : precisions()) {
        for (const Case& c : kCases) {
            CAPTURE(c.m);
            CAPTURE(c.n);
            CAPTURE(c.k);
            auto x = random_floats(c.m * c.ldx, 1);
            auto w = random_floats(c.n * c.k, 2);
            std::vector<float> expected(static_cast<std::size_t>(c.m * c.ldy), -1);
            auto got = expected;
            auto streamed = expected;
            const bool bf16 = precision == Precision::kBf16;
            const auto xr = bf16 ? rounded(x) : x;
            const auto wr = bf16 ? rounded(w) : w;
            multiply_exactly(xr.data(), c.m, c.ldx, wr.data(), c.n, c.k, expected.data(), c.ldy);

            const Panels panels(w, c.n, c.k, precision);
            multiply(x.data(), c.m, c.ldx, panels, got.data(), c.ldy, 2);
            CHECK(worst(c, got, expected) < 4);
            multiply(x.data(), c.m, c.ldx, source_of(w, c.k), c.n, c.k, precision, streamed.data(),
                     c.ldy, 2);
            CHECK(worst(c, streamed, expected) < 4);
            for (int row = 0; row < c.m; ++row)  // what lies between the rows is not ours
                for (int column = c.n; column < c.ldy; ++column) {
                    CHECK(got[static_cast<std::size_t>(row * c.ldy + column)] == -1);
                    CHECK(streamed[static_cast<std::size_t>(row * c.ldy + column)] == -1);
                }
        }
    }
}

TEST_CASE("weights larger than a slab are multiplied slab by slab") {
    const Case c{5, 3000, 1100, 1100, 3000};
    const auto x = random_floats(c.m * c.k, 3);
    const auto w = random_floats(c.n * c.k, 4);
    for (const Precision precision : precisions()) {
        const Panels panels(w, c.n, c.k, precision);
        std::vector<float> kept(static_cast<std::size_t>(c.m * c.n));
        auto streamed = kept;
        multiply(x.data(), c.m, c.k, panels, kept.data(), c.n, 2);
        multiply(x.data(), c.m, c.k, source_of(w, c.k), c.n, c.k, precision, streamed.data(), c.n,
                 1);
        CHECK(worst(c, streamed, kept) < 4);
        CHECK(panels.bytes() >= static_cast<std::size_t>(c.n * c.k) * 2);
        CHECK(panels.n() == c.n);
        CHECK(panels.k() == c.k);
    }
}

TEST_CASE("8-bit panels give the product of the factors rounded in blocks" *
          doctest::skip(!has_8_bits())) {
    for (const Precision precision : {Precision::kInt8, Precision::kInt8Wide}) {
        const int block = precision == Precision::kInt8 ? 64 : 256;
        for (Case c : {Case{1, 1, 1},
                       {2, 64, 2},
                       {5, 100, 3},
                       {7, 130, 1},
                       {16, 192, 2},
                       {97, 65, 2},
                       {600, 70, 1}}) {
            c.k *= block;
            c.ldx = c.k;
            c.ldy = c.n + 3;
            CAPTURE(c.m);
            CAPTURE(c.n);
            CAPTURE(c.k);
            auto x = random_floats(c.m * c.k, 6);
            auto w = random_floats(c.n * c.k, 7);
            std::fill_n(x.begin(), block, 0.0f);  // a block of zeros has no scale
            std::fill_n(w.begin(), block, 0.0f);
            std::vector<float> expected(static_cast<std::size_t>(c.m * c.ldy), -1);
            auto got = expected;
            auto streamed = expected;
            const auto xr = rounded_in_blocks(x, static_cast<std::size_t>(block));
            const auto wr = rounded_in_blocks(w, static_cast<std::size_t>(block));
            multiply_exactly(xr.data(), c.m, c.ldx, wr.data(), c.n, c.k, expected.data(), c.ldy);
            const Panels panels(w, c.n, c.k, precision);
            CHECK(panels.bytes() == Panels::bytes_of(c.n, c.k, precision));
            multiply(x.data(), c.m, c.ldx, panels, got.data(), c.ldy, 2);
            // A value that lies halfway may be rounded to the other side: a step of one factor.
            const double step = 4.0 * 4.0 / 127;
            for (std::size_t i = 0; i < got.size(); ++i)
                CHECK(got[i] == doctest::Approx(expected[i]).epsilon(1e-5).scale(step / 1e-5));
            multiply(x.data(), c.m, c.ldx, source_of(w, c.k), c.n, c.k, precision, streamed.data(),
                     c.ldy, 2);
            CHECK(streamed == got);
        }
    }
}

TEST_CASE(
    "8 bits are for rows that their blocks divide, and long blocks for formats that have them" *
    doctest::skip(!has_8_bits())) {
    CHECK(best_precision_of_quantised(256, 512) == Precision::kInt8Wide);
    CHECK(best_precision_of_quantised(32, 512) == Precision::kInt8);
    CHECK(best_precision_of_quantised(32, 576) == Precision::kInt8);
    CHECK(best_precision_of_quantised(32, 96) == best_precision());
}

TEST_CASE("floats become bfloat16 as the standard says: nearest, ties to even, NaN stays NaN") {
    CHECK(to_bf16(1.0f) == 0x3f80);
    CHECK(to_bf16(std::bit_cast<float>(0x3f808000u)) == 0x3f80);  // a tie goes to the even one
    CHECK(to_bf16(std::bit_cast<float>(0x3f818000u)) == 0x3f82);
    CHECK(to_bf16(std::bit_cast<float>(0x3f808001u)) == 0x3f81);
    CHECK(to_bf16(-INFINITY) == 0xff80);
    CHECK(std::isnan(from_bf16(to_bf16(NAN))));
    const auto values = random_floats(101, 5);
    std::vector<Bf16> out(values.size());
    to_bf16(values.data(), out.data(), out.size());
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(out[i] == to_bf16(values[i]));
}

TEST_SUITE_END();
