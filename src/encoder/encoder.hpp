#pragma once
// BERT and its like (all-MiniLM, E5): whole texts in, one pooled vector each out. Written for
// throughput: texts are packed without padding, and attention never crosses a text's border.
//
// Source   Devlin et al. 2019, arXiv:1810.04805 (post-norm encoder, GELU, learned positions).
// Threads  one caller at a time (the engine's compute thread); a pass runs on an OpenMP team of its
//          caller, the same that ggml's products use.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace jikji::encoder {

using Token = std::int32_t;

struct Steps;

class Encoder {
public:
    /// Whether the file is one that encode() computes to the last tensor: architecture "bert",
    /// mean or CLS pooling, heads of 32, 64, ... values. If not, the caller takes libllama.
    static bool supports(const std::filesystem::path& gguf);

    /// Names of the instruction sets that can compute here, fastest first; the last is "portable".
    static std::vector<std::string> instruction_sets();

    /// Reads the weights, for the fastest instruction set or for the one named (for tests).
    /// Throws as models::GgufFile. Requires: supports(gguf).
    explicit Encoder(const std::filesystem::path& gguf, const std::string& instructions = {});
    ~Encoder();

    int dimensions() const noexcept;
    int context() const noexcept;        // tokens of one text, at most
    int vocabulary() const noexcept;     // tokens are 0..vocabulary() - 1
    std::size_t bytes() const noexcept;  // of the weights in memory, without the mapped file

    /// One row of dimensions() floats per text, pooled, not normalised. Texts hold their special
    /// tokens already; each 1..context() tokens. The result of a text does not depend on the others
    /// (the order of sums aside).
    std::vector<std::vector<float>> encode(std::span<const std::vector<Token>> texts, int threads);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jikji::encoder
