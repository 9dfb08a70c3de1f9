#include "llama/interleaved_weights.hpp"

#include <ggml-backend-impl.h>
#include <ggml-cpu.h>
#include <ggml-cpu/traits.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "gemm/interleaved.hpp"

namespace jikji::llama {
namespace {

using gemm::BlockType;

std::optional<BlockType> block_type_of(ggml_type type) {
    if (type == GGML_TYPE_Q4_0) return BlockType::kQ4_0;
    if (type == GGML_TYPE_Q4_1) return BlockType::kQ4_1;
    if (type == GGML_TYPE_Q8_0) return BlockType::kQ8_0;
    return std::nullopt;
}

bool can_hold(const ggml_tensor* weights) {
    const auto type = block_type_of(weights->type);
    return type && gemm::interleaving_pays(*type) && ggml_n_dims(weights) == 2 &&
           weights->ne[0] % gemm::kBlockColumns == 0 &&
           weights->ne[1] % gemm::kInterleavedRows == 0;
}

ggml_backend_buffer_type_t buffer_type();

// From this many rows on, threads share the rounding of the inputs; below, each does all of it,
// which costs less than waiting for the others.
constexpr std::int64_t kSharedFrom = 4;

/// One product, split among ggml's threads by groups of 16 rows of weights.
class Product : public ggml::cpu::tensor_traits {
    bool work_size(int threads, const ggml_tensor* op, std::size_t& size) override {
        const std::int64_t rows = ggml_nrows(op->src[1]);
        const std::int64_t copies = rows < kSharedFrom ? threads : 1;
        size = gemm::rounded_bytes(op->src[1]->ne[0]) * static_cast<std::size_t>(rows * copies);
        return true;
    }

    bool compute_forward(ggml_compute_params* params, ggml_tensor* op) override {
        if (op->op != GGML_OP_MUL_MAT) return false;
        const ggml_tensor* weights = op->src[0];
        const auto rounded = round_inputs(params, op->src[1]);
        const std::int64_t groups = weights->ne[1] / gemm::kInterleavedRows;
        const std::int64_t begin = groups * params->ith / params->nth;
        const std::int64_t end = groups * (params->ith + 1) / params->nth;
        const auto rows = static_cast<int>(ggml_nrows(op->src[1]));
        gemm::multiply(
            {*block_type_of(weights->type), weights->data, weights->ne[0], rounded, rows,
             static_cast<float*>(op->data), static_cast<std::int64_t>(op->nb[1] / sizeof(float))},
            begin, end);
        return true;
    }

    static const std::byte* round_inputs(ggml_compute_params* params, const ggml_tensor* inputs) {
        const std::int64_t rows = ggml_nrows(inputs);
        const std::size_t bytes = gemm::rounded_bytes(inputs->ne[0]);
        auto* out = static_cast<std::byte*>(params->wdata);
        const bool shared = rows >= kSharedFrom;
        if (!shared) out += bytes * static_cast<std::size_t>(rows * params->ith);
        const std::int64_t step = shared ? params->nth : 1;
        for (std::int64_t row = shared ? params->ith : 0; row < rows; row += step) {
            gemm::round_row(row_of(inputs, row), inputs->ne[0],
                            out + bytes * static_cast<std::size_t>(row));
        }
        if (shared) ggml_barrier(params->threadpool);
        return out;
    }

    static const float* row_of(const ggml_tensor* inputs, std::int64_t row) {
        const std::int64_t in_plane = row % inputs->ne[1];
        const std::int64_t plane = row / inputs->ne[1] % inputs->ne[2];
        const std::int64_t volume = row / inputs->ne[1] / inputs->ne[2];
        const auto offset = static_cast<std::size_t>(in_plane) * inputs->nb[1] +
                            static_cast<std::size_t>(plane) * inputs->nb[2] +
                            static_cast<std::size_t>(volume) * inputs->nb[3];
        return reinterpret_cast<const float*>(static_cast<const char*>(inputs->data) + offset);
    }
};

/// What ggml asks: whose product is it?
class Interleaved : public ggml::cpu::extra_buffer_type {
public:
    ggml::cpu::tensor_traits* product() { return &product_; }

private:
    bool supports_op(ggml_backend_dev_t, const ggml_tensor* op) override {
        const ggml_tensor* inputs = op->src[1];
        if (op->op != GGML_OP_MUL_MAT || !is_interleaved(op->src[0]) || !can_hold(op->src[0]))
            return false;
        if (inputs->buffer != nullptr && !ggml_backend_buft_is_host(inputs->buffer->buft))
            return false;
        return inputs->type == GGML_TYPE_F32 && inputs->nb[0] == sizeof(float) &&
               ggml_is_contiguous(op);
    }
    ggml::cpu::tensor_traits* get_tensor_traits(const ggml_tensor* op) override {
        return op->op == GGML_OP_MUL_MAT && is_interleaved(op->src[0]) ? &product_ : nullptr;
    }

    Product product_;
};

void set_tensor(ggml_backend_buffer_t, ggml_tensor* tensor, const void* data, std::size_t offset,
                std::size_t size) {
    GGML_ASSERT(offset == 0 && size == ggml_nbytes(tensor));  // as libllama's loader calls it
    gemm::interleave(*block_type_of(tensor->type), data, tensor->ne[1], tensor->ne[0],
                     tensor->data);
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    ggml_backend_buffer_t buffer =
        ggml_backend_buft_alloc_buffer(ggml_backend_cpu_buffer_type(), size);
    if (buffer == nullptr) return nullptr;
    buffer->buft = type;
    buffer->iface.set_tensor = set_tensor;
    buffer->iface.get_tensor = nullptr;
    buffer->iface.cpy_tensor = nullptr;
    return buffer;
}

bool wanted() {
    const char* wish = std::getenv("JIKJI_INTERLEAVED");  // for measuring: off
    return wish == nullptr || std::string_view(wish) != "off";
}

ggml_backend_buffer_type_t buffer_type() {
    static Interleaved interleaved;
    static ggml_backend_buffer_type type = {
        {[](ggml_backend_buffer_type_t) { return "CPU_INTERLEAVED"; }, alloc_buffer,
         [](ggml_backend_buffer_type_t) -> std::size_t { return 64; }, nullptr, nullptr, nullptr},
        ggml_backend_reg_dev_get(ggml_backend_cpu_reg(), 0),
        &interleaved,
    };
    return &type;
}

}  // namespace

bool is_interleaved(const ggml_tensor* tensor) {
    return tensor->buffer != nullptr && tensor->buffer->buft == buffer_type();
}

bool interleaves(std::string_view type) {
    for (const ggml_type known : {GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q8_0}) {
        std::string name = ggml_type_name(known);
        for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        if (name == type) return wanted() && gemm::interleaving_pays(*block_type_of(known));
    }
    return false;
}

void register_interleaved_weights() {
    static std::once_flag once;
    std::call_once(once, [] {
        if (!wanted() || !gemm::interleaving_pays(BlockType::kQ4_1)) return;
        // First in the list: ggml's own repacked form of Q4_0 is slower for decoding.
        auto& types = ggml_backend_cpu_get_extra_buffer_types();
        types.insert(types.begin(), buffer_type());
    });
}

}  // namespace jikji::llama
