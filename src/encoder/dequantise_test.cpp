#include "encoder/dequantise.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "models/gguf.hpp"

using namespace jikji;
using namespace jikji::encoder;

namespace {

// The sums were made once, with dequantize() of llama.cpp's gguf-py (quants.py), of these bytes.
struct Golden {
    std::uint32_t type;
    std::vector<std::size_t> halves;  // bytes of a block where a float16 stands
    double sum;
    double weighted;  // value i counts i % 7 + 1 times
};

const Golden kGolden[] = {{2, {0}, -2.6875, 20.125},
                          {3, {0, 2}, 68.4375, 264.375},
                          {6, {0}, -1.4375, 15.25},
                          {7, {0, 2}, 113.6875, 427.8125},
                          {8, {0}, -25, 53.875},
                          {10, {80, 82}, -642.6875, -2611.25},
                          {11, {108}, 39.5, 78},
                          {12, {0, 2}, 8151.5, 33287.125},
                          {13, {0, 2}, 14902.5, 58401.625},
                          {14, {208}, 391.75, 11550.4375}};

constexpr int kBlocks = 2;

std::string bytes_of(const Golden& golden, std::size_t block_bytes) {
    std::string out(kBlocks * block_bytes, '\0');
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 37 + 11);
    // float16: 0.0625, 0.125, 0.3125 and 0.375
    constexpr std::uint16_t kHalves[kBlocks][2] = {{0x2c00, 0x3500}, {0x3000, 0x3600}};
    for (std::size_t block = 0; block < kBlocks; ++block) {
        for (std::size_t i = 0; i < golden.halves.size(); ++i) {
            const std::size_t at = block * block_bytes + golden.halves[i];
            out[at] = static_cast<char>(kHalves[block][i] & 0xff);
            out[at + 1] = static_cast<char>(kHalves[block][i] >> 8);
        }
    }
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("dequantise");

TEST_CASE("blocks of every kind become the values that llama.cpp's own reader gives") {
    for (const Golden& golden : kGolden) {
        const models::TensorType& type = *models::tensor_type(golden.type);
        CAPTURE(std::string(type.name));
        REQUIRE(can_dequantise(golden.type));
        std::vector<float> values(kBlocks * type.block_values);
        dequantise(golden.type, bytes_of(golden, type.block_bytes), values);
        double sum = 0;
        double weighted = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            sum += static_cast<double>(values[i]);
            weighted += static_cast<double>(values[i]) * static_cast<double>(i % 7 + 1);
        }
        CHECK(sum == doctest::Approx(golden.sum));
        CHECK(weighted == doctest::Approx(golden.weighted));
    }
}

TEST_CASE("halves: normal, negative, subnormal, greatest, infinite") {
    const std::string bytes("\x00\x3c\x00\xc5\x01\x00\xff\x7b\x00\xfc", 10);
    std::vector<float> values(5);
    dequantise(1, bytes, values);
    CHECK(values[0] == 1.0F);
    CHECK(values[1] == -5.0F);
    CHECK(values[2] == 0x1p-24F);
    CHECK(values[3] == 65504.0F);
    CHECK(values[4] < -1e38F);
}

TEST_CASE("bfloat16 and float32 keep their bits, and an unknown kind is not taken") {
    std::vector<float> values(2);
    dequantise(30, std::string("\x80\x3f\x20\xc0", 4), values);
    CHECK(values == std::vector<float>{1.0F, -2.5F});
    dequantise(0, std::string("\x00\x00\x80\x3f\x00\x00\x20\xc0", 8), values);
    CHECK(values == std::vector<float>{1.0F, -2.5F});
    CHECK_FALSE(can_dequantise(16));
}

TEST_SUITE_END();
