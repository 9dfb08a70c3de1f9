// Row 5: twenty steps as PyTorch and PEFT make them, on a tiny model that both sides build from the
// same whole-number formula (tests/golden/make_peft_losses.py says how, and with which versions).
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cmath>
#include <fstream>

#include "models/gguf.hpp"
#include "support/temp_folder.hpp"
#include "training/optimiser.hpp"
#include "training/pass.hpp"

TEST_SUITE_BEGIN("peft_golden");

namespace jikji::training {
namespace {

constexpr int kLayers = 2, kWidth = 32, kHeads = 4, kKvHeads = 2, kHead = 8, kFeed = 48;
constexpr int kVocabulary = 97, kSamples = 8, kBatch = 4;
constexpr double kRate = 3e-3;
constexpr double kLossTolerance = 1e-4;  // training.md, row 5: sums in another order
constexpr double kCosineLeast = 0.9999;

/// -0.5 to below 0.5 in steps of 2^-16: exact, so that both sides have the very same numbers.
float value(std::uint64_t stream, std::uint64_t i) {
    const auto mixed = static_cast<std::uint32_t>((stream * 7919 + i) * 2654435761u + 12345);
    return static_cast<float>(mixed >> 16) / 65536.0F - 0.5F;
}

std::string matrix(std::uint64_t stream, int values, float scale, float centre = 0) {
    std::vector<float> out;
    for (int i = 0; i < values; ++i)
        out.push_back(centre + value(stream, static_cast<std::uint64_t>(i)) * scale);
    return {reinterpret_cast<const char*>(out.data()), out.size() * sizeof(float)};
}

void add(models::GgufWriter& writer, std::string name, int rows, int columns, std::uint64_t stream,
         float scale) {
    writer.add_tensor(std::move(name),
                      {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)},
                      models::kF32, [=] { return matrix(stream, rows * columns, scale); });
}

void add_norm(models::GgufWriter& writer, std::string name, std::uint64_t stream) {
    writer.add_tensor(std::move(name), {kWidth}, models::kF32,
                      [=] { return matrix(stream, kWidth, 0.25F, 1); });
}

void add_layer(models::GgufWriter& writer, int layer) {
    const std::string name = "blk." + std::to_string(layer) + ".";
    const auto stream = static_cast<std::uint64_t>(10 * (layer + 1));
    add(writer, name + "attn_q.weight", kHeads * kHead, kWidth, stream, 0.5F);
    add(writer, name + "attn_k.weight", kKvHeads * kHead, kWidth, stream + 1, 0.5F);
    add(writer, name + "attn_v.weight", kKvHeads * kHead, kWidth, stream + 2, 0.5F);
    add(writer, name + "attn_output.weight", kWidth, kHeads * kHead, stream + 3, 0.5F);
    add(writer, name + "ffn_gate.weight", kFeed, kWidth, stream + 4, 0.5F);
    add(writer, name + "ffn_up.weight", kFeed, kWidth, stream + 5, 0.5F);
    add(writer, name + "ffn_down.weight", kWidth, kFeed, stream + 6, 0.5F);
    add_norm(writer, name + "attn_norm.weight", stream + 7);
    add_norm(writer, name + "ffn_norm.weight", stream + 8);
}

void write_model(const std::filesystem::path& file) {
    models::GgufWriter writer;
    writer.set("general.architecture", "llama");
    writer.set_number("llama.block_count", kLayers);
    writer.set_number("llama.context_length", 128);
    writer.set_number("llama.embedding_length", kWidth);
    writer.set_number("llama.feed_forward_length", kFeed);
    writer.set_number("llama.attention.head_count", kHeads);
    writer.set_number("llama.attention.head_count_kv", kKvHeads);
    writer.set_number("llama.rope.dimension_count", kHead);
    writer.set_real("llama.rope.freq_base", 10000);
    writer.set_real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    add(writer, "token_embd.weight", kVocabulary, kWidth, 1, 2);
    add(writer, "output.weight", kVocabulary, kWidth, 2, 1);
    add_norm(writer, "output_norm.weight", 3);
    for (int layer = 0; layer < kLayers; ++layer) add_layer(writer, layer);
    writer.write(file);
}

Sample sample(int number) {
    Sample out;
    const int length = 6 + 3 * number;
    for (int i = 0; i < length; ++i) {
        const float drawn =
            value(static_cast<std::uint64_t>(200 + number), static_cast<std::uint64_t>(i));
        out.tokens.push_back(static_cast<Token>((drawn + 0.5F) * 65536) % kVocabulary);
        out.learnt.push_back(i >= length / 3);
    }
    return out;
}

Lora adapter(const Shape& shape) {
    Lora lora(
        shape,
        {.rank = 4, .alpha = 8, .dropout = 0, .targets = {Module::kQ, Module::kV, Module::kDown}});
    std::uint64_t stream = 100;
    for (const LoraPair& pair : lora.pairs()) {
        for (std::size_t i = pair.a; i < pair.b; ++i)
            lora.values()[i] = value(stream, i - pair.a) * 0.5F;
        ++stream;
    }
    return lora;
}

double step(Pass& pass, Lora& lora, AdamW& optimiser, int number) {
    std::vector<Sample> batch;
    std::vector<const Sample*> views;
    int learnt = 0;
    for (int i = number % 2 * kBatch; i < number % 2 * kBatch + kBatch; ++i)
        batch.push_back(sample(i));
    for (const Sample& s : batch) {
        views.push_back(&s);
        learnt += s.learnt_count();
    }
    std::vector<float> gradients(lora.values().size());
    double sum = 0;
    for (const Pack& part : pack(views, {0, 1, 2, 3}, 256)) {
        sum += pass.train(part, lora, {}, 1.0F / static_cast<float>(learnt), gradients).sum;
    }
    optimiser.step(lora.values(), gradients, kRate);
    return sum / learnt;
}

double cosine(std::span<const float> a, const std::vector<double>& b) {
    double dot = 0, of_a = 0, of_b = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = a[i];
        dot += x * b[i];
        of_a += x * x;
        of_b += b[i] * b[i];
    }
    return dot / std::sqrt(of_a * of_b);
}

boost::json::object golden() {
    std::ifstream in(JIKJI_SOURCE_DIR "/tests/golden/peft_losses.json");
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    return boost::json::parse(text).as_object();
}

TEST_CASE("row 5: losses and values of twenty steps are PyTorch's and PEFT's") {
    const tests::TempFolder folder;
    write_model(folder / "tiny.gguf");
    const BaseModel base(folder / "tiny.gguf");
    Pass pass(base, {.precision = gemm::Precision::kF32, .threads = 2});
    Lora lora = adapter(base.shape());
    AdamW optimiser({.learning_rate = kRate}, lora.values().size());
    const boost::json::object theirs = golden();
    const auto losses = boost::json::value_to<std::vector<double>>(theirs.at("losses"));
    REQUIRE(losses.size() == 20);
    for (int i = 0; i < 20; ++i) {
        CAPTURE(i);
        const double ours = step(pass, lora, optimiser, i);
        CHECK(std::abs(ours - losses[static_cast<std::size_t>(i)]) < kLossTolerance);
    }
    const auto values = boost::json::value_to<std::vector<double>>(theirs.at("values"));
    REQUIRE(values.size() == lora.values().size());
    CHECK(cosine(lora.values(), values) > kCosineLeast);
}

}  // namespace
}  // namespace jikji::training
