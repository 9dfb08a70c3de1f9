#include "llama/dequantise.hpp"

#include <doctest/doctest.h>
#include <ggml.h>

#include <cmath>
#include <random>
#include <vector>

TEST_SUITE_BEGIN("dequantise");

using namespace jikji::llama;

TEST_CASE("blocks of every type become the floats that ggml makes of them") {
    constexpr int kCount = 1024;
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> values(kCount);
    for (const int number :
         {GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_Q4_0, GGML_TYPE_Q4_1,
          GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K}) {
        const auto type = static_cast<ggml_type>(number);
        CAPTURE(number);
        for (float& value : values) value = normal(random) * (random() % 8 == 0 ? 20.0f : 1.0f);
        std::vector<char> blocks(ggml_row_size(type, kCount));
        ggml_quantize_chunk(type, values.data(), blocks.data(), 0, 1, kCount, nullptr);
        std::vector<float> expected(kCount);
        std::vector<float> got(kCount);
        ggml_get_type_traits(type)->to_float(blocks.data(), expected.data(), kCount);
        to_floats_of(type)(blocks.data(), got.data(), kCount);
        // Q4_K: one rounding of scale · value - offset against two, of factors up to 60 or so.
        const float tolerance = number == GGML_TYPE_Q4_K ? 60 * 1.2e-7f : 0.0f;
        for (std::size_t i = 0; i < kCount; ++i) CHECK(std::abs(got[i] - expected[i]) <= tolerance);
    }
}

TEST_CASE("a count of float16 that is no multiple of a vector") {
    const std::vector<float> values(37, 1.5f);
    std::vector<ggml_fp16_t> halves(37);
    ggml_fp32_to_fp16_row(values.data(), halves.data(), 37);
    std::vector<float> got(38, -1);
    to_floats_of(GGML_TYPE_F16)(halves.data(), got.data(), 37);
    for (int i = 0; i < 37; ++i) CHECK(got[static_cast<std::size_t>(i)] == 1.5f);
    CHECK(got[37] == -1);
}

TEST_SUITE_END();
