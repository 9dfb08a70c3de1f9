#pragma once
// A llama of 50,000 random weights and 259 byte-like tokens: everything that the engine does can be
// tested on it in milliseconds, without a download. Its text is noise; its logits are real.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "models/gguf.hpp"
#include "text/normalise.hpp"

namespace jikji::tests {

constexpr std::uint32_t kTinyWidth = 32, kTinyLayers = 2, kTinyHeads = 4, kTinyHidden = 64;

/// GPT-2's printable names of the 256 bytes: those that print as they are, the rest from U+0100.
inline std::vector<std::string> byte_tokens() {
    std::vector<std::string> out(256);
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
        const bool prints =
            (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        text::append_utf8(out[static_cast<std::size_t>(byte)],
                          prints ? static_cast<char32_t>(byte) : next++);
    }
    return out;
}

inline std::string random_floats(std::uint64_t count, float scale, std::mt19937& generator) {
    std::string out(count * sizeof(float), '\0');
    std::normal_distribution<float> normal(0, scale);
    auto* at = reinterpret_cast<float*>(out.data());
    for (std::uint64_t i = 0; i < count; ++i) at[i] = normal(generator);
    return out;
}

inline std::string ones(std::uint64_t count) {
    std::string out(count * sizeof(float), '\0');
    auto* at = reinterpret_cast<float*>(out.data());
    for (std::uint64_t i = 0; i < count; ++i) at[i] = 1.0F;
    return out;
}

/// The same values rounded to ggml's Q8_0: blocks of 32 with a scale in float16 before them. The
/// scale is 2^-9, so that its bits are easily written; values are at most 127 of them.
inline std::string to_q8_0(const std::string& floats) {
    constexpr std::uint16_t kScaleBits = (15 - 9) << 10;
    std::string out;
    const auto* at = reinterpret_cast<const float*>(floats.data());
    for (std::size_t i = 0; i < floats.size() / sizeof(float); ++i) {
        if (i % 32 == 0) out.append({static_cast<char>(kScaleBits & 0xff), kScaleBits >> 8});
        out += static_cast<char>(std::clamp(std::nearbyint(at[i] * 512), -127.0F, 127.0F));
    }
    return out;
}

struct TinyShape {
    std::uint32_t width = kTinyWidth, hidden = kTinyHidden;
    bool q8_0 = false;  // weights of 8 bits
    std::uint32_t kv_heads = kTinyHeads;
    std::uint32_t vocabulary = 0;  // of the first tokens only, without a tokenizer; 0 = all
    bool random_norms = false;     // else all ones
    bool tied = false;             // the head is the embedding
    float norm_epsilon = 1e-5F;
    std::uint32_t window = 0;  // a gemma2, whose first layer sees so many tokens; 0 = a llama
    const char* chat_template = nullptr;  // null = none of its own
};

/// Is told each matrix by its tensor's name before it is written: row-major, to be changed.
using TinyChange = std::function<void(const std::string&, std::span<float>)>;

inline void write_tiny_llama(const std::filesystem::path& path, std::uint32_t context = 128,
                             const TinyShape& shape = {}, const TinyChange& change = {}) {
    models::GgufWriter file;
    const std::string architecture = shape.window > 0 ? "gemma2" : "llama";
    const bool tied = shape.tied || shape.window > 0;
    file.set("general.architecture", architecture);
    file.set("general.name", "tiny");
    file.set_number(architecture + ".context_length", context);
    file.set_number(architecture + ".embedding_length", shape.width);
    file.set_number(architecture + ".block_count", kTinyLayers);
    file.set_number(architecture + ".feed_forward_length", shape.hidden);
    file.set_number(architecture + ".attention.head_count", kTinyHeads);
    file.set_number(architecture + ".attention.head_count_kv", shape.kv_heads);
    file.set_number(architecture + ".rope.dimension_count", shape.width / kTinyHeads);
    file.set_real(architecture + ".attention.layer_norm_rms_epsilon", shape.norm_epsilon);
    if (shape.window > 0) {
        file.set_number(architecture + ".attention.sliding_window", shape.window);
    }

    std::vector<std::string> tokens = byte_tokens();
    std::vector<std::int32_t> types(tokens.size(), 1);
    for (const char* control : {"<|end|>", "<|im_start|>", "<|im_end|>"}) {
        tokens.emplace_back(control);
        types.push_back(3);
    }
    if (shape.vocabulary > 0) tokens.resize(shape.vocabulary);
    file.set("tokenizer.ggml.model", shape.vocabulary > 0 ? "none" : "gpt2");
    file.set("tokenizer.ggml.pre", "default");
    file.set_texts("tokenizer.ggml.tokens", tokens);
    file.set_numbers("tokenizer.ggml.token_type", types);
    file.set_texts("tokenizer.ggml.merges", {"a b"});
    file.set_number("tokenizer.ggml.eos_token_id", 256);
    file.set_number("tokenizer.ggml.bos_token_id", 256);
    file.set_flag("tokenizer.ggml.add_bos_token", false);
    if (shape.chat_template != nullptr) file.set("tokenizer.chat_template", shape.chat_template);

    auto generator = std::make_shared<std::mt19937>(7);
    const auto matrix = [&](const std::string& name, std::uint64_t in, std::uint64_t out) {
        const float scale = 1.0F / std::sqrt(static_cast<float>(in));
        constexpr std::uint32_t kQ8_0 = 8;  // ggml's number
        file.add_tensor(name, {in, out}, shape.q8_0 ? kQ8_0 : models::kF32, [=] {
            std::string values = random_floats(in * out, 2 * scale, *generator);
            if (change) change(name, {reinterpret_cast<float*>(values.data()), in * out});
            return shape.q8_0 ? to_q8_0(values) : values;
        });
    };
    const auto norm = [&](const std::string& name) {
        file.add_tensor(name, {shape.width}, models::kF32, [=] {
            std::string gains = ones(shape.width);
            if (!shape.random_norms) return gains;
            const std::string noise = random_floats(shape.width, 0.2F, *generator);
            auto* at = reinterpret_cast<float*>(gains.data());
            for (std::uint32_t i = 0; i < shape.width; ++i) {
                at[i] += reinterpret_cast<const float*>(noise.data())[i];
            }
            return gains;
        });
    };
    matrix("token_embd.weight", shape.width, tokens.size());
    norm("output_norm.weight");
    if (!tied) matrix("output.weight", shape.width, tokens.size());
    for (std::uint32_t layer = 0; layer < kTinyLayers; ++layer) {
        const std::string prefix = "blk." + std::to_string(layer) + ".";
        norm(prefix + "attn_norm.weight");
        norm(prefix + "ffn_norm.weight");
        if (shape.window > 0) norm(prefix + "post_attention_norm.weight");
        if (shape.window > 0) norm(prefix + "post_ffw_norm.weight");
        const std::uint32_t kv_width = shape.width / kTinyHeads * shape.kv_heads;
        matrix(prefix + "attn_q.weight", shape.width, shape.width);
        matrix(prefix + "attn_k.weight", shape.width, kv_width);
        matrix(prefix + "attn_v.weight", shape.width, kv_width);
        matrix(prefix + "attn_output.weight", shape.width, shape.width);
        matrix(prefix + "ffn_gate.weight", shape.width, shape.hidden);
        matrix(prefix + "ffn_up.weight", shape.width, shape.hidden);
        matrix(prefix + "ffn_down.weight", shape.hidden, shape.width);
    }
    file.write(path);
}

}  // namespace jikji::tests
