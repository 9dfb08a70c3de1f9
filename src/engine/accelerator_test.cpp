// The device of llama/accelerator.hpp with a whole model; here, since it takes a model file to try.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include "llama/context.hpp"
#include "llama/log.hpp"
#include "llama/model.hpp"
#include "support/tiny_model.hpp"

TEST_SUITE_BEGIN("accelerator");

using namespace jikji;

namespace {

struct Fixture {
    explicit Fixture(bool q8_0)
        : file(std::filesystem::temp_directory_path() /
               ("jikji-accelerator-" + std::to_string(std::random_device{}()) + ".gguf")) {
        llama::capture_log();
        tests::write_tiny_llama(file, 128, {.width = 128, .hidden = 320, .q8_0 = q8_0});
    }
    ~Fixture() {
        unsetenv("JIKJI_GEMM");
        std::filesystem::remove(file);
    }

    /// The logits after 40 tokens, with `gemm` as the environment has it.
    std::vector<float> logits(const char* gemm) const {
        setenv("JIKJI_GEMM", gemm, 1);
        const auto model = std::make_shared<const llama::Model>(file, llama::ModelOptions{});
        llama::Context context(model, {.cells = 64, .threads = 2});
        std::vector<llama::BatchToken> batch;
        for (int i = 0; i < 40; ++i) batch.push_back({(i * 37 + 11) % 256, i, 0, i == 39});
        context.decode(batch);
        const auto row = context.logits(39);
        return {row.begin(), row.end()};
    }

    std::filesystem::path file;
};

/// Root of the mean square of the difference, in parts of that of the values.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("float32 weights: our products are ggml's, but for the order of sums") {
    const Fixture model(false);
    const auto theirs = model.logits("off");
    const auto ours = model.logits("f32");
    CHECK(ours != theirs);  // the device was asked at all
    // Attention rounds to bfloat16 where there is AVX512-BF16 only if products do.
    CHECK(distance(ours, theirs) < 1e-3);
    CHECK(distance(model.logits("f32,slabs"), ours) < 1e-5);
}

TEST_CASE("8-bit weights: all precisions are as near to float32 as ggml's own products are") {
    const Fixture model(true);
    const auto exact = model.logits("f32");
    const double theirs = distance(model.logits("off"), exact);
    CHECK(theirs > 0);
    for (const char* choice : {"auto", "slabs", "bf16", "bf16,slabs", "f32,slabs"}) {
        CAPTURE(choice);
        const auto ours = model.logits(choice);
        CHECK(distance(ours, exact) < 2 * theirs + 1e-3);
    }
}

TEST_CASE("a model that is gone leaves nothing behind that another could be taken for") {
    const Fixture first(false);
    const auto expected = first.logits("f32");
    for (int i = 0; i < 5; ++i) {
        const Fixture other(true);
        CHECK(other.logits("f32") != expected);
        CHECK(first.logits("f32") == expected);
    }
}

TEST_SUITE_END();
