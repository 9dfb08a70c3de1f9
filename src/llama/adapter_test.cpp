// An adapter beside a model against the same weights merged: each way in which weights may lie
// (ggml's own order, panels, interleaved), for a prefill and for single rows.
#include "llama/adapter.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "llama/context.hpp"
#include "llama/log.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_adapter.hpp"

using namespace jikji;

namespace {

constexpr int kPrefill = 40;  // rows: panels are used from 2 on, slabs from 32 on
constexpr int kRows = 6;      // computed one by one behind it

using Logits = std::vector<std::vector<float>>;
using ModelPtr = std::shared_ptr<const llama::Model>;

ModelPtr load(const std::filesystem::path& file) {
    llama::capture_log();
    return std::make_shared<const llama::Model>(file, llama::ModelOptions{});
}

/// Of the last row of the prefill, and of each of those behind it.
Logits logits(llama::Context& context, const ModelPtr& model) {
    const auto take = [&](int index) {
        const auto row = context.logits(index);
        return std::vector<float>(row.begin(), row.end());
    };
    const auto token = [&](int i) { return (i * 37 + 11) % (model->vocabulary() - 3); };
    context.forget(0);
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < kPrefill; ++i) batch.push_back({token(i), i, 0, i == kPrefill - 1});
    REQUIRE(context.decode(batch) == llama::Decoded::kDone);
    Logits out{take(kPrefill - 1)};
    for (int i = kPrefill; i < kPrefill + kRows; ++i) {
        const llama::BatchToken one{token(i), i, 0, true};
        REQUIRE(context.decode({&one, 1}) == llama::Decoded::kDone);
        out.push_back(take(0));
    }
    return out;
}

llama::ContextOptions options(const std::filesystem::path& adapter = {}, float scale = 1) {
    return {.cells = 64, .threads = 2, .adapter = adapter, .adapter_scale = scale};
}

Logits logits(const ModelPtr& model, const std::filesystem::path& adapter = {}, float scale = 1) {
    llama::Context context(model, options(adapter, scale));
    return logits(context, model);
}

/// Root of the mean square of the difference, in parts of that of the values.
double distance(const Logits& a, const Logits& b) {
    double difference = 0, size = 0;
    for (std::size_t row = 0; row < a.size(); ++row) {
        for (std::size_t i = 0; i < a[row].size(); ++i) {
            difference += std::pow(a[row][i] - b[row][i], 2);
            size += std::pow(b[row][i], 2);
        }
    }
    return std::sqrt(difference / size);
}

struct Files {
    explicit Files(bool q8_0, std::uint32_t width, std::uint32_t hidden) {
        adapter.modules = {"attn_q",   "attn_k", "attn_v",  "attn_output",
                           "ffn_gate", "ffn_up", "ffn_down"};
        adapter.shape = {.width = width, .hidden = hidden};
        tests::write_tiny_adapter(folder / "adapter.gguf", adapter);
        tests::write_tiny_llama(folder / "base.gguf", 128,
                                {.width = width, .hidden = hidden, .q8_0 = q8_0});
        write("plain.gguf", q8_0, /*merged=*/false);
        write("merged.gguf", q8_0, /*merged=*/true);
    }

    /// In float32: what Q8_0 makes of the values, and what the adapter adds.
    void write(const char* name, bool rounded, bool merged) {
        const auto change = [&](const std::string& weight, std::span<float> values) {
            for (float& v : values) {
                if (rounded) v = std::clamp(std::nearbyint(v * 512), -127.0F, 127.0F) / 512;
            }
            const std::vector<float> more =
                merged ? tests::added_by(adapter, weight) : std::vector<float>{};
            for (std::size_t i = 0; i < more.size(); ++i) values[i] += more[i];
        };
        tests::write_tiny_llama(folder / name, 128, adapter.shape, change);
    }

    tests::TempFolder folder;
    tests::TinyAdapter adapter;
};

}  // namespace

TEST_SUITE_BEGIN("adapter");

// The same sums in another order, in float32; from 64 columns on our products and our attention
// compute the prefill, and that rounds its inputs to bf16 (2^-9) where the CPU has it.
TEST_CASE(
    "row 7: an adapter's logits are those of the merged weights, in ggml's products and ours") {
    for (const std::uint32_t width : {32U, 128U}) {
        CAPTURE(width);
        const Files files(/*q8_0=*/false, width, 2 * width);
        const ModelPtr model = load(files.folder / "base.gguf");
        const Logits adapted = logits(model, files.folder / "adapter.gguf");
        CHECK(distance(adapted, logits(load(files.folder / "merged.gguf"))) <
              (width < 64 ? 1e-5 : 2e-3));
        CHECK(distance(adapted, logits(model)) > 0.3);  // it does change them
    }
}

// Weights of 8 bits multiply inputs rounded to 8 bits. The merged weights cannot have 8 bits, so
// what is left is that rounding, which the base alone shows as well.
TEST_CASE("row 7: an adapter beside interleaved weights adds what it should") {
    const Files files(/*q8_0=*/true, 128, 256);
    const ModelPtr model = load(files.folder / "base.gguf");
    const double rounding = distance(logits(model), logits(load(files.folder / "plain.gguf")));
    const Logits merged = logits(load(files.folder / "merged.gguf"));
    CHECK(rounding < 0.05);
    CHECK(distance(logits(model, files.folder / "adapter.gguf"), merged) < 2 * rounding + 1e-4);
    CHECK(distance(logits(model), merged) > 0.3);
}

TEST_CASE("row 7: at scale 0 the logits are the base's, bit by bit") {
    for (const bool q8_0 : {false, true}) {
        const Files files(q8_0, 64, 128);
        const ModelPtr model = load(files.folder / "base.gguf");
        CHECK(logits(model, files.folder / "adapter.gguf", 0) == logits(model));
    }
}

TEST_CASE("several adapters and the base compute in turn, each as if it were alone") {
    const Files files(/*q8_0=*/true, 64, 128);
    tests::TinyAdapter second = files.adapter;
    second.seed = 12;
    second.rank = 8;
    tests::write_tiny_adapter(files.folder / "second.gguf", second);
    const ModelPtr model = load(files.folder / "base.gguf");
    const auto first_file = files.folder / "adapter.gguf",
               second_file = files.folder / "second.gguf";
    const Logits base_alone = logits(model);
    const Logits first_alone = logits(model, first_file);
    const Logits second_alone = logits(model, second_file);
    CHECK(first_alone != second_alone);

    llama::Context base(model, options());
    auto first = std::make_unique<llama::Context>(model, options(first_file));
    llama::Context again(model, options(first_file));
    auto other = std::make_unique<llama::Context>(model, options(second_file));
    for (int turn = 0; turn < 2; ++turn) {
        CHECK(logits(base, model) == base_alone);
        CHECK(logits(*first, model) == first_alone);
        CHECK(logits(*other, model) == second_alone);
    }
    first.reset();
    CHECK(logits(*other, model) == second_alone);
    CHECK(logits(again, model) == first_alone);
    other.reset();
    CHECK(logits(base, model) == base_alone);
}

TEST_CASE("an adapter that libllama refuses is an error with its words, and the model goes on") {
    const Files files(/*q8_0=*/false, 32, 64);
    const ModelPtr model = load(files.folder / "base.gguf");
    const Logits base = logits(model);
    tests::TinyAdapter wrong;
    wrong.shape = {.width = 64, .hidden = 128};
    tests::write_tiny_adapter(files.folder / "wrong.gguf", wrong);
    try {
        llama::Context context(model, options(files.folder / "wrong.gguf"));
        FAIL("it was taken");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kRejected);
        CHECK(std::string(error.what()).find("shape") != std::string::npos);
    }
    CHECK(logits(model) == base);
}

TEST_SUITE_END();
