#include "llama/dense_weights.hpp"

#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/log.hpp"
#include "llama/accelerator.hpp"
#include "llama/dequantise.hpp"
#include "llama/interleaved_weights.hpp"
#include "llama/mapped_tensors.hpp"

// libllama has no public list of a model's tensors; its own quantisation tool uses this one.
const std::vector<std::pair<std::string, ggml_tensor*>>& llama_internal_get_tensor_map(
    const llama_model* model);

namespace jikji::llama {
namespace {

constexpr std::size_t kPanelBytesMost = std::size_t{4} << 30;
constexpr int kLeastSide = 64;  // smaller matrices are not worth a call

// Where the curves cross, measured with SmolLM2-135M (Q4_1) on 2 Zen 5 cores. With one row ggml's
// own products win (6.0 ms a step against 6.5). With two they already lose (14.0 against 5.6):
// their work grows with the rows, ours with the bytes until there are 8 or so.
constexpr int kRowsKept = 2;
// Here every product pays for reading and rounding all weights once more.
constexpr int kRowsOnTheFly = 32;
// Interleaved weights (interleaved_weights.hpp) are read by ggml's own threads, between its other
// operations; each product of ours is a graph of its own, which costs about 20 us. A prefill of 512
// has 2,770 tokens/s, against 3,060 with kept panels and 1,970 with panels made on the fly: kept
// ones would be a third copy of the weights (150 MB of SmolLM2) for a tenth of a prefill's time.
constexpr int kRowsBesideInterleaved = 1024;

// ggml's scheduler asks the device about tensors, and the device knows no model: so the tensors of
// all loaded models are found through one table of the process.
struct Table {
    std::shared_mutex mutex;
    std::unordered_map<const ggml_tensor*, DenseWeight*> weights;
};

Table& table() {
    static Table instance;
    return instance;
}

std::size_t free_memory() {
    std::ifstream in("/proc/meminfo");
    std::string word;
    std::size_t kilobytes = 0;
    while (in >> word)
        if (word == "MemAvailable:" && in >> kilobytes) return kilobytes << 10;
    return std::size_t{4} << 30;
}

}  // namespace

gemm::Source DenseWeight::source() const {
    const auto type = tensor->type;
    const ToFloats to_floats = to_floats_of(type);
    const std::size_t row_size = ggml_row_size(type, k);
    return [blocks = blocks, type, to_floats, row_size](int row, int rows, int column, int columns,
                                                        float* out, int stride) {
        const std::byte* at =
            blocks + static_cast<std::size_t>(row) * row_size + ggml_row_size(type, column);
        for (int i = 0; i < rows; ++i, at += row_size, out += stride) {
            if (type == GGML_TYPE_F32) {
                std::memcpy(out, at, static_cast<std::size_t>(columns) * sizeof(float));
            } else {
                to_floats(at, out, columns);
            }
        }
    };
}

void DenseWeight::multiply(const float* x, int rows, float* y, int threads) {
    if (!keep) return gemm::multiply(x, rows, k, source(), n, k, precision, y, n, threads);
    if (!panels) panels.emplace(source(), n, k, precision, threads);
    gemm::multiply(x, rows, k, *panels, y, n, threads);
}

DenseWeights::DenseWeights(const llama_model* model, const std::filesystem::path& file,
                           std::uint64_t panel_bytes_most) {
    const auto& tensors = llama_internal_get_tensor_map(model);
    for (const auto& [name, tensor] : tensors) {
        const bool repacked = tensor->buffer != nullptr && keeps_own_order(tensor->buffer);
        if (repacked) copied_bytes_ += ggml_nbytes(tensor);
    }
    if (!accelerator_wanted()) return;
    if (copied_bytes_ > 0) mapped_ = std::make_unique<MappedTensors>(file);
    for (const auto& [name, tensor] : tensors) add(tensor);
    choose(panel_bytes_most);
    const std::unique_lock lock(table().mutex);
    for (const auto& weight : weights_) table().weights[weight->tensor] = weight.get();
}

DenseWeights::~DenseWeights() {
    const std::unique_lock lock(table().mutex);
    for (const auto& weight : weights_) table().weights.erase(weight->tensor);
}

DenseWeight* DenseWeights::find(const ggml_tensor* tensor) {
    const std::shared_lock lock(table().mutex);
    const auto found = table().weights.find(tensor);
    return found == table().weights.end() ? nullptr : found->second;
}

void DenseWeights::add(const ggml_tensor* tensor) {
    const bool matrix = tensor->ne[2] == 1 && tensor->ne[3] == 1 && ggml_is_contiguous(tensor) &&
                        tensor->ne[0] >= kLeastSide && tensor->ne[1] >= kLeastSide;
    const bool readable =
        tensor->type == GGML_TYPE_F32 || ggml_get_type_traits(tensor->type)->to_float != nullptr;
    if (!matrix || !readable || tensor->buffer == nullptr) return;
    const std::byte* blocks = nullptr;
    if (keeps_own_order(tensor->buffer)) {
        blocks = mapped_->find(tensor);
    } else if (ggml_backend_buffer_is_host(tensor->buffer)) {
        blocks = static_cast<const std::byte*>(tensor->data);
    }
    if (blocks == nullptr) return;  // on another device
    weights_.push_back(std::make_unique<DenseWeight>(DenseWeight{
        .tensor = tensor,
        .blocks = blocks,
        .n = static_cast<int>(tensor->ne[1]),
        .k = static_cast<int>(tensor->ne[0]),
        .rows_least = kRowsOnTheFly,
        .keep = false,
        .precision = wanted_precision(tensor->type, static_cast<int>(tensor->ne[0])),
    }));
}

void DenseWeights::choose(std::uint64_t panel_bytes_most) {
    std::size_t bytes = 0;
    for (const auto& weight : weights_) {
        if (is_interleaved(weight->tensor)) continue;
        bytes += gemm::Panels::bytes_of(weight->n, weight->k, weight->precision);
    }
    const bool keep = panels_wanted() && bytes <= panel_bytes_most &&
                      bytes <= std::min(kPanelBytesMost, free_memory() / 4);
    if (keep) panel_bytes_ = bytes;
    for (const auto& weight : weights_) {
        const bool interleaved = is_interleaved(weight->tensor);
        weight->keep = keep && !interleaved;
        weight->rows_least = interleaved ? kRowsBesideInterleaved
                             : keep      ? kRowsKept
                                         : kRowsOnTheFly;
    }
}

}  // namespace jikji::llama
