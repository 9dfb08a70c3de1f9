#pragma once
// The weight matrices of a loaded model as our own products want them (src/gemm), for the device in
// accelerator.hpp. A model owns one of these; while it lives, its tensors can be found by address.
// Threads: find() from any; the products only from the compute thread.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "gemm/gemm.hpp"

struct ggml_tensor;
struct llama_model;

namespace jikji::llama {

class MappedTensors;

/// One matrix: n rows of k.
struct DenseWeight {
    const ggml_tensor* tensor;
    const std::byte* blocks;  // as the file has them, also where ggml keeps them in another order
    int n;
    int k;
    int rows_least;  // tokens from which our product is faster than ggml's
    bool keep;       // panels stay, once made
    gemm::Precision precision;
    std::optional<gemm::Panels> panels = std::nullopt;

    gemm::Source source() const;
    /// y[rows×n] = x[rows×k] · wᵀ, contiguous.
    void multiply(const float* x, int rows, float* y, int threads);
};

class DenseWeights {
public:
    /// Panels are kept if all of them fit into a quarter of the memory that is free now, into
    /// kPanelBytesMost, and into `panel_bytes_most`; larger models get them anew for each product,
    /// a slab at a time.
    DenseWeights(const llama_model* model, const std::filesystem::path& file,
                 std::uint64_t panel_bytes_most);
    ~DenseWeights();
    DenseWeights(const DenseWeights&) = delete;
    DenseWeights& operator=(const DenseWeights&) = delete;

    /// Of any model that is loaded; null for what is not a weight matrix that we multiply.
    static DenseWeight* find(const ggml_tensor* tensor);

    std::uint64_t copied_bytes() const { return copied_bytes_; }  // weights in another order
    std::uint64_t panel_bytes() const { return panel_bytes_; }    // of kept panels, once made

private:
    void add(const ggml_tensor* tensor);
    void choose(std::uint64_t panel_bytes_most);

    std::unique_ptr<MappedTensors> mapped_;
    std::vector<std::unique_ptr<DenseWeight>> weights_;
    std::uint64_t copied_bytes_ = 0;
    std::uint64_t panel_bytes_ = 0;
};

}  // namespace jikji::llama
