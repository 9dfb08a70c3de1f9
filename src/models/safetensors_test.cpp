#include "models/safetensors.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

struct File {
    fs::path path = fs::temp_directory_path() / ("jikji-" + hex(random_bytes(6)) + ".safetensors");
    explicit File(const std::string& bytes) { write_file_durably(path, bytes); }
    ~File() { fs::remove(path); }
};

std::string with_head(const std::string& json, const std::string& data) {
    const std::uint64_t size = json.size();
    std::string out(8, '\0');
    std::memcpy(out.data(), &size, 8);
    return out + json + data;
}

TEST_SUITE_BEGIN("safetensors");

TEST_CASE("weights are read, and narrowed") {
    const float values[] = {1.0f, -2.5f};
    const File file(with_head(R"({"__metadata__":{"format":"pt"},)"
                              R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})",
                              std::string(reinterpret_cast<const char*>(values), 8)));
    const Safetensors read(file.path);
    REQUIRE(read.weights().size() == 1);
    const Weight& weight = read.weights().at("w");
    CHECK(weight.values == 2);
    const std::string half = as_f16(weight);
    std::uint16_t first = 0;
    std::memcpy(&first, half.data(), 2);
    CHECK(first == 0x3c00);
    CHECK(as_f32(weight) == weight.bytes);
}

TEST_CASE("damaged files are refused") {
    const std::string good = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    const std::string cases[] = {
        "",
        std::string(7, 'x'),
        std::string(8, '\xff'),
        with_head(good, "1234"),
        with_head(good.substr(0, 20), "12345678"),
        with_head("[]", ""),
        with_head(R"({"w":1})", ""),
        with_head(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", "12345678"),
        with_head(R"({"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678"),
        with_head(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", "12345678"),
        with_head(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
                  "12345678"),
        with_head(R"({"w":{"dtype":"F32","data_offsets":[0,8]}})", "12345678"),
    };
    for (const std::string& bytes : cases) {
        CAPTURE(bytes);
        const File file(bytes);
        try {
            const Safetensors read(file.path);
            FAIL("was taken for a safetensors file");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kRejected);
        }
    }
}

TEST_CASE("half precision is rounded to the nearest, ties to even") {
    struct Case {
        float value;
        std::uint16_t half;
    };
    const Case cases[] = {
        {0.0f, 0x0000},           {-0.0f, 0x8000},        {1.0f, 0x3c00},
        {65504.0f, 0x7bff},       {65519.9f, 0x7bff},     {65520.0f, 0x7c00},
        {-1e9f, 0xfc00},          {0x1p-24f, 0x0001},     {0x1p-25f, 0x0000},
        {0x1.8p-25f, 0x0001},     {0x1p-14f, 0x0400},     {1.00048828125f, 0x3c00},
        {1.00146484375f, 0x3c02}, {0x1.ff8p-15f, 0x03ff}, {0x1.ffcp-15f, 0x0400}};
    for (const Case& c : cases) {
        CAPTURE(c.value);
        CHECK(half_of(c.value) == c.half);
    }
    CHECK(half_of(std::numeric_limits<float>::infinity()) == 0x7c00);
    CHECK(std::isnan(float_of_half(half_of(std::nanf("")))));
    for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {  // every finite half comes back
        REQUIRE(half_of(float_of_half(static_cast<std::uint16_t>(bits))) == bits);
    }
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
