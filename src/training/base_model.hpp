#pragma once
// A base model of the llama family as training sees it: its shapes, and its frozen weights, read
// from the blocks of a GGUF. Immutable once made; threads: any.
//
// Legend   E width of a token's vector, F feed-forward width, H heads, K heads of keys and values,
//          D values of a head, V vocabulary, L layers. Linear weights are n_out x n_in, row-major.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/gguf.hpp"
#include "training/lora.hpp"

namespace jikji::training {

struct Shape {
    int layers = 0;      // L
    int width = 0;       // E
    int feed = 0;        // F
    int heads = 0;       // H
    int kv_heads = 0;    // K, divides H
    int head = 0;        // D, even
    int vocabulary = 0;  // V
    int context = 0;     // tokens that it was trained on
    float norm_epsilon = 0;
    float rope_base = 10000;
    float rope_scale = 1;             // linear: positions are multiplied by it
    int rope_values = 0;              // of each head; the rest is not turned
    std::vector<float> rope_factors;  // rope_freqs.weight: divide the frequencies; may be empty
    int window = 0;                   // a token sees so many before it and itself; 0 = all
    bool tied = false;                // the head is the embedding

    int n_in(Module module) const;
    int n_out(Module module) const;
};

/// Throws Error(kUnsupported, "model") that names the architectures which can be trained.
Shape shape_of(const models::Gguf& gguf);

/// Where a frozen matrix comes from: rows are read when they are needed, by any thread.
class FrozenMatrix {
public:
    FrozenMatrix() = default;
    FrozenMatrix(const models::GgufTensor& tensor, std::string_view file);
    int rows() const { return rows_; }
    int columns() const { return columns_; }
    /// Rows first..first+count-1 as float32, without gaps. Never throws.
    void read(int first, int count, float* out) const;

private:
    const char* blocks_ = nullptr;
    std::uint32_t type_ = 0;
    std::size_t row_bytes_ = 0;
    int rows_ = 0;
    int columns_ = 0;
};

struct BaseLayer {
    std::vector<float> attention_norm;  // E
    std::vector<float> feed_norm;       // E
    FrozenMatrix linear[kModules];      // by Module
};

class BaseModel {
public:
    /// F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K. Throws as models::GgufFile,
    /// as shape_of(), and Error(kUnsupported) for a type of weights that cannot be read, or a
    /// tensor that is missing or has another shape.
    explicit BaseModel(const std::filesystem::path& file);

    const Shape& shape() const { return shape_; }
    const std::filesystem::path& path() const { return path_; }
    const BaseLayer& layer(int index) const { return layers_[static_cast<std::size_t>(index)]; }
    const FrozenMatrix& embedding() const { return embedding_; }  // V x E
    const FrozenMatrix& head() const { return head_; }            // V x E; the embedding if tied
    std::span<const float> output_norm() const { return output_norm_; }
    const models::Gguf& gguf() const { return file_->gguf(); }
    /// Gives back the memory of the file's pages, where its weights are not read again soon.
    void let_go() const { file_->let_go(); }
    std::string_view bytes() const { return file_->bytes(); }  // of the whole file
    /// For who has read what is needed: what was read of the file no longer counts as this
    /// process's memory. It comes back, from the system's cache, when it is read again.
    void forget() const noexcept;

private:
    std::filesystem::path path_;
    std::unique_ptr<models::GgufFile> file_;
    Shape shape_;
    std::vector<BaseLayer> layers_;
    FrozenMatrix embedding_;
    FrozenMatrix head_;
    std::vector<float> output_norm_;
};

}  // namespace jikji::training
