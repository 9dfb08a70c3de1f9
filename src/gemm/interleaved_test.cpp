#include "gemm/interleaved.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <vector>

namespace jikji::gemm {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr BlockType kTypes[] = {BlockType::kQ4_0, BlockType::kQ4_1, BlockType::kQ8_0};

/// Random blocks as a file has them; scales and minima are sound float16 numbers near 0.03.
Bytes random_blocks(BlockType type, std::int64_t n, std::int64_t k, std::mt19937& generator) {
    Bytes out(block_bytes(type, n, k));
    for (auto& byte : out) byte = static_cast<std::uint8_t>(generator());
    const std::size_t block = block_bytes(type, 1, kBlockColumns);
    for (std::size_t at = 0; at < out.size(); at += block) {
        for (std::size_t half = 0; half < (type == BlockType::kQ4_1 ? 2u : 1u); ++half) {
            const unsigned sign = half == 1 ? 0x80 : 0;
            out[at + 2 * half + 1] = static_cast<std::uint8_t>(0x28 | sign);
        }
    }
    return out;
}

/// 0x28 with two lower bits of a byte below: 2^-5 and up to 2^-5 · 1.25.
double scale_at(const Bytes& blocks, std::size_t at) {
    const int fraction = blocks[at] | (blocks[at + 1] & 3) << 8;
    const double size = std::ldexp(1.0 + fraction / 1024.0, -5);
    return (blocks[at + 1] & 0x80) != 0 ? -size : size;
}

double weight_at(BlockType type, const Bytes& blocks, std::int64_t k, std::int64_t row,
                 std::int64_t column) {
    const std::size_t block = block_bytes(type, 1, kBlockColumns);
    const auto at = static_cast<std::size_t>(row * (k / 32) + column / 32) * block;
    const auto in = static_cast<std::size_t>(column % 32);
    const double scale = scale_at(blocks, at);
    if (type == BlockType::kQ8_0) return scale * static_cast<std::int8_t>(blocks[at + 2 + in]);
    const std::size_t quants = at + (type == BlockType::kQ4_1 ? 4 : 2);
    const int both = blocks[quants + in % 16];
    const int nibble = in < 16 ? both & 15 : both >> 4;
    if (type == BlockType::kQ4_0) return scale * (nibble - 8);
    return scale * nibble + scale_at(blocks, at + 2);
}

std::vector<float> random_inputs(std::int64_t count, std::mt19937& generator) {
    std::vector<float> out(static_cast<std::size_t>(count));
    std::normal_distribution<float> normal(0, 2);
    for (float& value : out) value = normal(generator);
    return out;
}

Bytes round_all(const std::vector<float>& x, int m, std::int64_t k) {
    Bytes out(rounded_bytes(k) * static_cast<std::size_t>(m));
    for (int i = 0; i < m; ++i) {
        round_row(x.data() + i * k, k, out.data() + rounded_bytes(k) * static_cast<std::size_t>(i));
    }
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("interleaved");

// Goal: vector instructions give what plain arithmetic gives; only the order of sums differs.
TEST_CASE("products equal the plain ones, for each type and number of rows") {
    std::mt19937 generator(3);
    for (const BlockType type : kTypes) {
        for (const std::int64_t k : {32, 96, 576}) {
            const std::int64_t n = 48;
            const Bytes blocks = random_blocks(type, n, k, generator);
            Bytes packed(blocks.size());
            interleave(type, blocks.data(), n, k, packed.data());
            for (int m = 1; m <= 9; ++m) {
                CAPTURE(static_cast<int>(type));
                CAPTURE(k);
                CAPTURE(m);
                const Bytes rounded = round_all(random_inputs(m * k, generator), m, k);
                std::vector<float> fast(static_cast<std::size_t>(m * n), NAN);
                std::vector<float> plain = fast;
                multiply({type, packed.data(), k, rounded.data(), m, fast.data(), n}, 0, n / 16);
                multiply_plainly({type, packed.data(), k, rounded.data(), m, plain.data(), n}, 0,
                                 n / 16);
                for (std::size_t i = 0; i < fast.size(); ++i) {
                    CHECK(std::abs(fast[i] - plain[i]) <= 1e-5 * (std::abs(plain[i]) + 100));
                }
            }
        }
    }
}

TEST_CASE("a product fills only the groups it was asked for") {
    std::mt19937 generator(4);
    const std::int64_t k = 64, n = 64;
    Bytes packed(block_bytes(BlockType::kQ8_0, n, k));
    const Bytes blocks = random_blocks(BlockType::kQ8_0, n, k, generator);
    interleave(BlockType::kQ8_0, blocks.data(), n, k, packed.data());
    const Bytes rounded = round_all(random_inputs(k, generator), 1, k);
    std::vector<float> y(n, -1.0F);
    multiply({BlockType::kQ8_0, packed.data(), k, rounded.data(), 1, y.data(), n}, 1, 3);
    for (std::size_t i = 0; i < y.size(); ++i) CHECK((y[i] == -1.0F) == (i < 16 || i >= 48));
}

// Goal: the layout means what ggml's blocks mean. Method: each weight read from the blocks as the
// format says, in a second way that shares no code with the first.
TEST_CASE("products are those of the blocks in the file") {
    std::mt19937 generator(5);
    const std::int64_t k = 64, n = 16;
    for (const BlockType type : kTypes) {
        CAPTURE(static_cast<int>(type));
        const Bytes blocks = random_blocks(type, n, k, generator);
        Bytes packed(blocks.size());
        interleave(type, blocks.data(), n, k, packed.data());
        const std::vector<float> x = random_inputs(k, generator);
        const Bytes rounded = round_all(x, 1, k);
        std::vector<float> y(n);
        multiply({type, packed.data(), k, rounded.data(), 1, y.data(), n}, 0, 1);
        for (std::int64_t row = 0; row < n; ++row) {
            double want = 0, size = 0;
            for (std::int64_t column = 0; column < k; ++column) {
                const double w = weight_at(type, blocks, k, row, column);
                want += w * static_cast<double>(x[static_cast<std::size_t>(column)]);
                size += std::abs(w);
            }
            // Half a step of the rounding for each weight: the largest input is below 8.
            CHECK(std::abs(y[static_cast<std::size_t>(row)] - want) <= size * 8 / 254);
        }
    }
}

TEST_CASE("inputs are rounded to the nearest of 255 steps") {
    std::vector<float> x(64, 0.0F);
    for (int i = 0; i < 32; ++i) x[static_cast<std::size_t>(i)] = 0.1F * static_cast<float>(i - 16);
    Bytes packed(block_bytes(BlockType::kQ8_0, 16, 64));
    Bytes identity(packed.size());
    // Row i of the weights is the unit vector of column i, as blocks of Q8_0: scale 1, one 1.
    const std::size_t block = block_bytes(BlockType::kQ8_0, 1, kBlockColumns);
    for (std::size_t row = 0; row < 16; ++row) {
        for (std::size_t b = 0; b < 2; ++b) identity[(row * 2 + b) * block + 1] = 0x3C;
        identity[row * 2 * block + 2 + row] = 1;
    }
    interleave(BlockType::kQ8_0, identity.data(), 16, 64, packed.data());
    const Bytes rounded = round_all(x, 1, 64);
    std::vector<float> y(16);
    multiply({BlockType::kQ8_0, packed.data(), 64, rounded.data(), 1, y.data(), 16}, 0, 1);
    for (std::size_t i = 0; i < 16; ++i) CHECK(std::abs(y[i] - x[i]) <= 1.6F / 254 + 1e-6F);
}

TEST_SUITE_END();

}  // namespace jikji::gemm
