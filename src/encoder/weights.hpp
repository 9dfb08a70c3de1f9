#pragma once
// An encoder's weights, laid out for the products of pass.hpp. Immutable once read; threads: any.
//
// Legend   E = width of a token's vector, F = width between the two feed-forward products.
// Panels   a matrix of n rows of k is cut into panels of `width` rows; a panel holds, for each
//          unit of k in turn, that unit of all of its rows side by side. A unit is one float, or
//          two neighbours along k in bfloat16, which one instruction multiplies and adds.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "models/gguf.hpp"

namespace jikji::encoder {

/// How numbers lie in panels, and with them what a product's other side has to be.
struct Layout {
    int panel = 8;      // rows of a panel; divides 32
    bool bf16 = false;  // units are pairs of bfloat16; else float32
};

struct alignas(64) CacheLine {
    std::byte bytes[64];
};

struct Matrix {
    int n = 0;
    int k = 0;
    std::vector<CacheLine> panels;

    const void* data() const { return panels.data(); }
};

/// `rows` holds n x k floats. Requires: n divides into panels, k into pairs.
Matrix to_panels(std::span<const float> rows, int n, int k, const Layout& layout);

struct Norm {
    std::vector<float> weight;  // E
    std::vector<float> bias;    // E
};

struct Layer {
    Matrix qkv;  // 3E x E; queries come out scaled, so that attention's weights are powers of two
    std::vector<float> qkv_bias;
    Matrix out;  // E x E
    std::vector<float> out_bias;
    Norm attention_norm;
    Matrix up;  // F x E
    std::vector<float> up_bias;
    Matrix down;  // E x F
    std::vector<float> down_bias;
    Norm output_norm;
};

struct Weights {
    int width = 0;        // E
    int feed = 0;         // F
    int heads = 0;        // each E / heads wide, a multiple of 32
    int context = 0;      // positions
    int vocabulary = 0;   // tokens
    float epsilon = 0;    // of the norms
    bool of_cls = false;  // a text's vector is its first token's; else the mean of all
    models::GgufFile file;
    const models::GgufTensor* tokens = nullptr;  // vocabulary x E, read row by row from `file`
    std::vector<float> positions;                // context x E, the token type's vector added
    Norm embedding_norm;
    std::vector<Layer> layers;

    explicit Weights(const std::filesystem::path& path) : file(path) {}
};

/// Whether read_weights() takes the file: its head only is read. Throws as models::GgufFile.
bool can_read(const models::Gguf& gguf);

/// Throws as models::GgufFile. Requires: can_read().
std::unique_ptr<const Weights> read_weights(const std::filesystem::path& path,
                                            const Layout& layout);

}  // namespace jikji::encoder
