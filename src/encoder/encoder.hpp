#pragma once
// BERT and its like (all-MiniLM, E5): whole texts in, one pooled vector each out. Written for
// throughput: texts are packed without padding, and attention never crosses a text's border.
//
// Source   Devlin et al. 2019, arXiv:1810.04805 (post-norm encoder, GELU, learned positions).
// Threads  one caller at a time (the engine's compute thread).
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace jikji::encoder {

using Token = std::int32_t;

class Encoder {
public:
    /// Whether the file's architecture is one that encode() computes ("bert" with absolute
    /// positions and mean or CLS pooling); if not, the caller takes libllama.
    static bool supports(const std::filesystem::path& gguf);

    /// Reads the weights. Throws Error(kRejected) if the file is not whole.
    Encoder(const std::filesystem::path& gguf, int threads);
    ~Encoder();

    int dimensions() const noexcept;
    int context() const noexcept;  // tokens of one text, at most

    /// One row of dimensions() floats per text, pooled, not normalised. Texts hold their special
    /// tokens already; each 1..context() tokens.
    std::vector<std::vector<float>> encode(std::span<const std::vector<Token>> texts);

private:
    struct Weights;
    std::unique_ptr<Weights> weights_;
};

}  // namespace jikji::encoder
