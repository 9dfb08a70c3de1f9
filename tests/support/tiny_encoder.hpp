#pragma once
// A BERT of random weights with a vocabulary of 40 words: what computes encoders can be tested on
// it in milliseconds, without a download. Its vectors say nothing; they are real all the same.
#include <cmath>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "models/gguf.hpp"
#include "support/tiny_model.hpp"

namespace jikji::tests {

struct TinyEncoder {
    std::uint32_t width = 128;
    std::uint32_t heads = 4;
    std::uint32_t feed = 256;
    std::uint32_t layers = 3;
    std::uint32_t context = 96;
    std::uint32_t pooling = 1;  // mean; 2 = CLS
    std::string extra_tensor;   // one that no encoder has
};
inline constexpr int kTinyEncoderTokens = 40;

inline void write_tiny_encoder(const std::filesystem::path& path, const TinyEncoder& shape = {}) {
    models::GgufWriter file;
    file.set("general.architecture", "bert");
    file.set("general.name", "tiny encoder");
    file.set_number("bert.context_length", shape.context);
    file.set_number("bert.embedding_length", shape.width);
    file.set_number("bert.feed_forward_length", shape.feed);
    file.set_number("bert.block_count", shape.layers);
    file.set_number("bert.attention.head_count", shape.heads);
    file.set_real("bert.attention.layer_norm_epsilon", 1e-12F);
    file.set_flag("bert.attention.causal", false);
    file.set_number("bert.pooling_type", shape.pooling);
    std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    std::vector<std::int32_t> kinds(5, 3);
    while (static_cast<int>(tokens.size()) < kTinyEncoderTokens) {
        tokens.push_back("\u2581w" + std::to_string(tokens.size()));
        kinds.push_back(1);
    }
    file.set("tokenizer.ggml.model", "bert");
    file.set("tokenizer.ggml.pre", "default");
    file.set_texts("tokenizer.ggml.tokens", tokens);
    file.set_numbers("tokenizer.ggml.token_type", kinds);
    file.set_number("tokenizer.ggml.token_type_count", 2);
    const char* roles[] = {"padding", "unknown", "bos", "seperator", "mask"};  // spelt so
    for (std::uint32_t i = 0; i < 5; ++i) {
        file.set_number(std::string("tokenizer.ggml.") + roles[i] + "_token_id", i);
    }

    auto generator = std::make_shared<std::mt19937>(11);
    const auto tensor = [&](const std::string& name, std::vector<std::uint64_t> sizes,
                            float scale) {
        std::uint64_t count = 1;
        for (const auto size : sizes) count *= size;
        file.add_tensor(name, sizes, models::kF32,
                        [=] { return random_floats(count, scale, *generator); });
    };
    const auto linear = [&](const std::string& name, std::uint64_t k, std::uint64_t n) {
        tensor(name + ".weight", {k, n}, 1.5F / std::sqrt(static_cast<float>(k)));
        tensor(name + ".bias", {n}, 0.3F);
    };
    const auto norm = [&](const std::string& name) {
        tensor(name + ".weight", {shape.width}, 1);
        tensor(name + ".bias", {shape.width}, 0.3F);
    };
    tensor("token_embd.weight", {shape.width, tokens.size()}, 1);
    tensor("position_embd.weight", {shape.width, shape.context}, 1);
    tensor("token_types.weight", {shape.width, 2}, 0.5F);
    norm("token_embd_norm");
    for (std::uint32_t i = 0; i < shape.layers; ++i) {
        const std::string layer = "blk." + std::to_string(i) + ".";
        for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
            linear(layer + name, shape.width, shape.width);
        }
        norm(layer + "attn_output_norm");
        linear(layer + "ffn_up", shape.width, shape.feed);
        linear(layer + "ffn_down", shape.feed, shape.width);
        norm(layer + "layer_output_norm");
    }
    if (!shape.extra_tensor.empty()) tensor(shape.extra_tensor, {shape.width}, 1);
    file.write(path);
}

/// Texts of the given lengths, random words between CLS and SEP (2 tokens at least have both).
inline std::vector<std::vector<std::int32_t>> tiny_texts(const std::vector<int>& lengths) {
    std::mt19937 random(5);
    std::uniform_int_distribution<std::int32_t> word(5, kTinyEncoderTokens - 1);
    std::vector<std::vector<std::int32_t>> out;
    for (const int length : lengths) {
        auto& text = out.emplace_back(static_cast<std::size_t>(length));
        for (auto& token : text) token = word(random);
        text.front() = 2;
        if (length > 1) text.back() = 3;
    }
    return out;
}

inline double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return ab / std::sqrt(aa * bb);
}

}  // namespace jikji::tests
