#pragma once
// A LoRA of random values for the tiny model, as a GGUF that stock llama.cpp loads.
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "models/gguf.hpp"
#include "support/tiny_model.hpp"

namespace jikji::tests {

struct TinyAdapter {
    std::uint32_t rank = 4;
    float alpha = 8;
    unsigned seed = 11;
    float size = 1;  // of what it adds, beside the weights
    TinyShape shape;
    std::vector<std::string> modules{"attn_q", "attn_v"};
    std::string architecture = "llama";
};

/// Columns and rows of a linear weight of the tiny model.
inline std::pair<std::uint64_t, std::uint64_t> size_of(const std::string& module,
                                                       const TinyShape& shape) {
    if (module == "ffn_gate" || module == "ffn_up") return {shape.width, shape.hidden};
    if (module == "ffn_down") return {shape.hidden, shape.width};
    return {shape.width, shape.width};
}

/// The values of all halves by their tensor's name, A as rank rows, B as rank columns.
inline std::map<std::string, std::string> halves_of(const TinyAdapter& adapter) {
    std::mt19937 generator(adapter.seed);
    std::map<std::string, std::string> out;
    for (std::uint32_t layer = 0; layer < kTinyLayers; ++layer) {
        for (const std::string& module : adapter.modules) {
            const auto [in, rows] = size_of(module, adapter.shape);
            const std::string name = "blk." + std::to_string(layer) + "." + module + ".weight";
            const float scale = 1.0F / std::sqrt(static_cast<float>(in));
            out[name + ".lora_a"] = random_floats(in * adapter.rank, scale, generator);
            out[name + ".lora_b"] = random_floats(rows * adapter.rank, adapter.size, generator);
        }
    }
    return out;
}

inline void write_tiny_adapter(const std::filesystem::path& path, const TinyAdapter& adapter = {}) {
    models::GgufWriter file;
    file.set("general.type", "adapter");
    file.set("general.architecture", adapter.architecture);
    file.set("adapter.type", "lora");
    file.set_real("adapter.lora.alpha", adapter.alpha);
    for (const auto& [name, values] : halves_of(adapter)) {
        const std::string module = name.substr(6, name.find(".weight") - 6);  // behind "blk.0."
        const auto [in, rows] = size_of(module, adapter.shape);
        const bool a = name.ends_with('a');
        const std::vector<std::uint64_t> shape{a ? in : adapter.rank, a ? adapter.rank : rows};
        file.add_tensor(name, shape, models::kF32, [values = values] { return values; });
    }
    file.write(path);
}

/// What the adapter adds to a weight: alpha / rank times B times A, row-major.
inline std::vector<float> added_by(const TinyAdapter& adapter, const std::string& weight) {
    const auto halves = halves_of(adapter);
    const auto found = halves.find(weight + ".lora_a");
    if (found == halves.end()) return {};
    const auto* a = reinterpret_cast<const float*>(found->second.data());
    const std::string& other = halves.at(weight + ".lora_b");
    const auto* b = reinterpret_cast<const float*>(other.data());
    const std::size_t rank = adapter.rank, in = found->second.size() / sizeof(float) / rank;
    const std::size_t rows = other.size() / sizeof(float) / rank;
    std::vector<float> out(rows * in);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t r = 0; r < rank; ++r) {
            const float factor = b[row * rank + r] * adapter.alpha / static_cast<float>(rank);
            for (std::size_t i = 0; i < in; ++i) out[row * in + i] += factor * a[r * in + i];
        }
    }
    return out;
}

}  // namespace jikji::tests
