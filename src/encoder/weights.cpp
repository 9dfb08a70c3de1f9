#include "encoder/weights.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>
#include <string>

#include "base/error.hpp"
#include "encoder/dequantise.hpp"

namespace jikji::encoder {
namespace {

constexpr int kGranule = 32;  // widths have to be multiples: panels of every layout divide it

// Numbers of libllama's pooling_type.
constexpr std::uint64_t kPoolMean = 1;
constexpr std::uint64_t kPoolCls = 2;

using Shape = std::vector<std::uint64_t>;

struct Sizes {
    std::uint64_t width, feed, heads, context, layers, vocabulary;
};

std::optional<Sizes> sizes_of(const models::Gguf& gguf) {
    Sizes s{};
    s.width = gguf.number("bert.embedding_length");
    s.feed = gguf.number("bert.feed_forward_length");
    s.heads = gguf.number("bert.attention.head_count");
    s.context = gguf.number("bert.context_length");
    s.layers = gguf.number("bert.block_count");
    const auto& all = gguf.tensors;
    const auto tokens = std::find_if(all.begin(), all.end(),
                                     [](const auto& t) { return t.name == "token_embd.weight"; });
    if (tokens == all.end() || tokens->shape.size() != 2) return std::nullopt;
    s.vocabulary = tokens->shape[1];
    constexpr std::uint64_t kMost = 1 << 20;  // beyond this, products of sizes could overflow
    for (const auto size : {s.width, s.feed, s.heads, s.context, s.layers, s.vocabulary}) {
        if (size == 0 || size > kMost) return std::nullopt;
    }
    const bool even = s.width % (s.heads * kGranule) == 0 && s.feed % kGranule == 0;
    return even ? std::optional(s) : std::nullopt;
}

/// Every tensor that the pass computes, and its shape, fastest first.
std::map<std::string, Shape> tensors_of(const Sizes& s) {
    std::map<std::string, Shape> out;
    const auto norm = [&](const std::string& name) {
        out[name + ".weight"] = {s.width};
        out[name + ".bias"] = {s.width};
    };
    const auto linear = [&](const std::string& name, std::uint64_t k, std::uint64_t n) {
        out[name + ".weight"] = {k, n};
        out[name + ".bias"] = {n};
    };
    out["token_embd.weight"] = {s.width, s.vocabulary};
    out["position_embd.weight"] = {s.width, s.context};
    norm("token_embd_norm");
    for (std::uint64_t i = 0; i < s.layers; ++i) {
        const std::string layer = fmt::format("blk.{}.", i);
        for (const char* name : {"attn_q", "attn_k", "attn_v", "attn_output"}) {
            linear(layer + name, s.width, s.width);
        }
        norm(layer + "attn_output_norm");
        linear(layer + "ffn_up", s.width, s.feed);
        linear(layer + "ffn_down", s.feed, s.width);
        norm(layer + "layer_output_norm");
    }
    return out;
}

/// A tensor that the pass does not know would be left out of the sum: such a file is not ours.
bool tensors_are_known(const models::Gguf& gguf, const Sizes& sizes) {
    auto wanted = tensors_of(sizes);
    for (const models::GgufTensor& tensor : gguf.tensors) {
        if (!can_dequantise(tensor.type->id)) return false;
        if (tensor.name == "token_types.weight") {
            if (tensor.shape.empty() || tensor.shape[0] != sizes.width) return false;
            continue;
        }
        const auto found = wanted.find(std::string(tensor.name));
        if (found == wanted.end() || found->second != tensor.shape) return false;
        wanted.erase(found);
    }
    return std::all_of(wanted.begin(), wanted.end(),  // some models have no biases
                       [](const auto& left) { return left.first.ends_with(".bias"); });
}

class Reader {
public:
    Reader(const models::GgufFile& file, const Layout& layout) : file_(file), layout_(layout) {
        for (const auto& tensor : file.gguf().tensors) tensors_[tensor.name] = &tensor;
    }

    const models::GgufTensor* find(const std::string& name) const {
        const auto found = tensors_.find(name);
        return found == tensors_.end() ? nullptr : found->second;
    }

    std::vector<float> values(const std::string& name, std::size_t size) const {
        const models::GgufTensor* tensor = find(name);
        if (tensor == nullptr) return std::vector<float>(size, 0.0F);
        std::vector<float> out(tensor->values);
        dequantise(tensor->type->id, file_.bytes().substr(tensor->offset, tensor->bytes), out);
        return out;
    }

    Norm norm(const std::string& name, int width) const {
        const auto size = static_cast<std::size_t>(width);
        return {values(name + ".weight", size), values(name + ".bias", size)};
    }

    void linear(const std::string& name, int n, int k, Matrix& weight,
                std::vector<float>& bias) const {
        const auto rows = static_cast<std::size_t>(n);
        weight =
            to_panels(values(name + ".weight", rows * static_cast<std::size_t>(k)), n, k, layout_);
        bias = values(name + ".bias", rows);
    }

    /// One product makes queries, keys and values of a token. exp(x) is 2^(x log2 e): that factor
    /// and attention's 1 / sqrt(head width) go into the queries.
    void qkv(const std::string& layer, const Weights& w, Layer& to) const {
        const auto width = static_cast<std::size_t>(w.width);
        const float scale = std::log2(std::exp(1.0F)) /
                            std::sqrt(static_cast<float>(w.width) / static_cast<float>(w.heads));
        std::vector<float> rows;
        for (const char* name : {"attn_q", "attn_k", "attn_v"}) {
            const auto weight = values(layer + name + ".weight", width * width);
            const auto bias = values(layer + name + ".bias", width);
            rows.insert(rows.end(), weight.begin(), weight.end());
            to.qkv_bias.insert(to.qkv_bias.end(), bias.begin(), bias.end());
        }
        for (std::size_t i = 0; i < width * width; ++i) rows[i] *= scale;
        for (std::size_t i = 0; i < width; ++i) to.qkv_bias[i] *= scale;
        to.qkv = to_panels(rows, 3 * w.width, w.width, layout_);
    }

private:
    const models::GgufFile& file_;
    Layout layout_;
    std::map<std::string_view, const models::GgufTensor*> tensors_;
};

std::uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1)) >> 16);  // to even
}

/// libllama takes every token for "sentence A": the first type's vector is added to all.
std::vector<float> read_positions(const Reader& reader, const Weights& w) {
    const auto width = static_cast<std::size_t>(w.width);
    auto out = reader.values("position_embd.weight", 0);
    const auto types = reader.values("token_types.weight", width);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += types[i % width];
    return out;
}

void read_layer(const Reader& reader, const Weights& w, int index, Layer& layer) {
    const std::string name = fmt::format("blk.{}.", index);
    reader.qkv(name, w, layer);
    reader.linear(name + "attn_output", w.width, w.width, layer.out, layer.out_bias);
    layer.attention_norm = reader.norm(name + "attn_output_norm", w.width);
    reader.linear(name + "ffn_up", w.feed, w.width, layer.up, layer.up_bias);
    reader.linear(name + "ffn_down", w.width, w.feed, layer.down, layer.down_bias);
    layer.output_norm = reader.norm(name + "layer_output_norm", w.width);
}

}  // namespace

Matrix to_panels(std::span<const float> rows, int n, int k, const Layout& layout) {
    JIKJI_CHECK(n % layout.panel == 0 && k % 2 == 0);
    Matrix out{n, k, {}};
    const std::size_t values = static_cast<std::size_t>(n) * static_cast<std::size_t>(k);
    JIKJI_CHECK(rows.size() == values);
    const std::size_t bytes = values * (layout.bf16 ? 2 : 4);
    out.panels.resize((bytes + sizeof(CacheLine) - 1) / sizeof(CacheLine));
    auto* floats = reinterpret_cast<float*>(out.panels.data());
    auto* halves = reinterpret_cast<std::uint16_t*>(out.panels.data());
    for (int first = 0; first < n; first += layout.panel) {
        for (int i = 0; i < k; ++i) {
            for (int row = first; row < first + layout.panel; ++row) {
                const float value =
                    rows[static_cast<std::size_t>(row) * static_cast<std::size_t>(k) +
                         static_cast<std::size_t>(i)];
                if (!layout.bf16) {
                    *floats++ = value;
                } else {  // two of a row stand together
                    halves[(row - first) * 2 + i % 2] = to_bf16(value);
                }
            }
            if (layout.bf16 && i % 2 == 1) halves += layout.panel * 2;
        }
    }
    return out;
}

bool can_read(const models::Gguf& gguf) {
    if (gguf.architecture() != "bert") return false;
    const std::uint64_t pooling = gguf.number("bert.pooling_type");
    if (pooling != kPoolMean && pooling != kPoolCls) return false;
    const auto* causal = gguf.find("bert.attention.causal");
    if (causal != nullptr && causal->as_bool().value_or(true)) return false;
    const auto* epsilon = gguf.find("bert.attention.layer_norm_epsilon");
    if (epsilon == nullptr || !epsilon->as_number()) return false;
    const auto sizes = sizes_of(gguf);
    return sizes && gguf.number("bert.attention.head_count_kv", sizes->heads) == sizes->heads &&
           tensors_are_known(gguf, *sizes);
}

std::unique_ptr<const Weights> read_weights(const std::filesystem::path& path,
                                            const Layout& layout) {
    auto w = std::make_unique<Weights>(path);
    const models::Gguf& gguf = w->file.gguf();
    JIKJI_CHECK(can_read(gguf));
    const Sizes sizes = *sizes_of(gguf);
    w->width = static_cast<int>(sizes.width);
    w->feed = static_cast<int>(sizes.feed);
    w->heads = static_cast<int>(sizes.heads);
    w->context = static_cast<int>(sizes.context);
    w->vocabulary = static_cast<int>(sizes.vocabulary);
    w->epsilon =
        static_cast<float>(gguf.find("bert.attention.layer_norm_epsilon")->as_number().value());
    w->of_cls = gguf.number("bert.pooling_type") == kPoolCls;
    const Reader reader(w->file, layout);
    w->tokens = reader.find("token_embd.weight");
    w->positions = read_positions(reader, *w);
    w->embedding_norm = reader.norm("token_embd_norm", w->width);
    w->layers.resize(sizes.layers);
    for (int i = 0; i < static_cast<int>(sizes.layers); ++i) {
        read_layer(reader, *w, i, w->layers[static_cast<std::size_t>(i)]);
    }
    return w;
}

}  // namespace jikji::encoder
