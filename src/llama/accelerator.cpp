#include "llama/accelerator.hpp"

#include <ggml-backend-impl.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/log.hpp"
#include "gemm/attention.hpp"
#include "llama/accelerator_ops.hpp"

// The functions that ggml calls are listed in its own tables of pointers; see ggml-backend-impl.h.
namespace jikji::llama {
namespace {

constexpr const char* kName = "Jikji";

gemm::AttentionKernel wanted_kernel() {
    const gemm::AttentionKernel best = gemm::best_attention_kernel();
    if (wanted_precision() == gemm::Precision::kBf16) return best;
    return std::min(best, gemm::AttentionKernel::kAvx2);  // the lesser ones are float32
}

struct State {
    int threads = 1;
    gemm::Attention attention{wanted_kernel()};
};

bool is_nothing(ggml_op op) {
    return op == GGML_OP_NONE || op == GGML_OP_RESHAPE || op == GGML_OP_VIEW ||
           op == GGML_OP_PERMUTE || op == GGML_OP_TRANSPOSE;
}

bool supports(ggml_backend_dev_t, const ggml_tensor* op) {
    switch (op->op) {
        case GGML_OP_MUL_MAT: return supports_mul_mat(op);
        case GGML_OP_FLASH_ATTN_EXT: return attention_wanted() && supports_attention(op);
        default: return is_nothing(op->op);
    }
}

void compute(State& state, ggml_tensor* op) {
    switch (op->op) {
        case GGML_OP_MUL_MAT: return compute_mul_mat(op, state.threads);
        case GGML_OP_FLASH_ATTN_EXT: return compute_attention(state.attention, op, state.threads);
        default: return;  // views
    }
}

ggml_status compute_graph(ggml_backend_t backend, ggml_cgraph* graph) {
    auto& state = *static_cast<State*>(backend->context);
    try {
        for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
            ggml_tensor* node = ggml_graph_node(graph, i);
            if ((node->flags & GGML_TENSOR_FLAG_COMPUTE) != 0) compute(state, node);
        }
    } catch (const std::exception& e) {  // memory ran out; decode() then says that it failed
        log_error("", std::string("a product or attention failed: ") + e.what());
        return GGML_STATUS_FAILED;
    }
    return GGML_STATUS_SUCCESS;
}

const char* backend_name(ggml_backend_t) { return kName; }

void free_backend(ggml_backend_t backend) {
    delete static_cast<State*>(backend->context);
    delete backend;
}

ggml_backend_t make_backend(ggml_backend_dev_t device, const char*) {
    static ggml_guid guid = {0x6a, 0x69, 0x6b, 0x6a, 0x69, 0x2d, 0x67, 0x65,
                             0x6d, 0x6d, 0x2d, 0x30, 0x30, 0x30, 0x30, 0x31};
    ggml_backend_i calls{};
    calls.get_name = backend_name;
    calls.free = free_backend;
    calls.graph_compute = compute_graph;
    return new ggml_backend{&guid, calls, device, new State};
}

void set_threads(ggml_backend_t backend, int threads) {
    static_cast<State*>(backend->context)->threads = threads;
}

void tell_properties(ggml_backend_dev_t, ggml_backend_dev_props* props) {
    *props = {};
    props->name = kName;
    props->description = "matrix products of many tokens, on the CPU";
    props->type = GGML_BACKEND_DEVICE_TYPE_ACCEL;
    props->caps.buffer_from_host_ptr = true;
}

/// The CPU backend's further buffer types (repacked blocks, AMX tiles), up to a null.
ggml_backend_buffer_type_t* own_order_types() {
    ggml_backend_dev_t device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    if (device == nullptr) return nullptr;
    const auto types =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    return types == nullptr ? nullptr : types(device);
}

bool has_own_order(ggml_backend_buffer_type_t type) {
    for (auto* at = own_order_types(); at != nullptr && *at != nullptr; ++at)
        if (*at == type) return true;
    return false;
}

ggml_backend_device_i device_calls() {
    ggml_backend_device_i calls{};
    calls.get_name = [](ggml_backend_dev_t) { return kName; };
    calls.get_description = [](ggml_backend_dev_t) -> const char* { return "CPU matrix products"; };
    calls.get_memory = [](ggml_backend_dev_t, std::size_t* free, std::size_t* total) {
        *free = *total = 0;
    };
    calls.get_type = [](ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_ACCEL; };
    calls.get_props = tell_properties;
    calls.init_backend = make_backend;
    calls.get_buffer_type = [](ggml_backend_dev_t) { return ggml_backend_cpu_buffer_type(); };
    calls.buffer_from_host_ptr = [](ggml_backend_dev_t, void* data, std::size_t size, std::size_t) {
        return ggml_backend_cpu_buffer_from_ptr(data, size);
    };
    calls.supports_op = supports;
    // Repacked weights as well: we never read them there, but the scheduler must not copy them.
    calls.supports_buft = [](ggml_backend_dev_t, ggml_backend_buffer_type_t type) {
        return ggml_backend_buft_is_host(type) || has_own_order(type);
    };
    return calls;
}

ggml_backend_dev_t the_device(ggml_backend_reg_t reg, std::size_t) {
    static ggml_backend_device device{device_calls(), reg, nullptr};
    return &device;
}

void* function_named(ggml_backend_reg_t, const char* name) {
    if (std::strcmp(name, "ggml_backend_set_n_threads") != 0) return nullptr;
    return reinterpret_cast<void*>(set_threads);
}

bool chosen(std::string_view word) {
    const char* text = std::getenv("JIKJI_GEMM");
    return text != nullptr && std::string_view(text).find(word) != std::string_view::npos;
}

}  // namespace

void register_accelerator() {
    static std::once_flag once;
    if (!accelerator_wanted()) return;
    std::call_once(once, [] {
        static ggml_backend_reg registration{
            GGML_BACKEND_API_VERSION,
            {[](ggml_backend_reg_t) { return kName; },
             [](ggml_backend_reg_t) { return std::size_t{1}; }, the_device, function_named},
            nullptr};
        ggml_backend_register(&registration);
    });
}

bool attention_wanted() {
    static const char* const text = std::getenv("JIKJI_ATTENTION");
    return text == nullptr || std::string_view(text) != "off";
}

bool accelerator_wanted() { return !chosen("off"); }

bool panels_wanted() { return !chosen("slabs"); }

gemm::Precision wanted_precision() {
    return chosen("f32") ? gemm::Precision::kF32 : gemm::best_precision();
}

gemm::Precision wanted_precision(ggml_type type, int k) {
    if (type == GGML_TYPE_F32) return gemm::Precision::kF32;
    if (!ggml_is_quantized(type) || chosen("bf16") || chosen("f32")) return wanted_precision();
    return gemm::best_precision_of_quantised(static_cast<int>(ggml_blck_size(type)), k);
}

bool keeps_own_order(ggml_backend_buffer* buffer) {
    return has_own_order(ggml_backend_buffer_get_type(buffer));
}

}  // namespace jikji::llama
