#pragma once
// The operations of the device in accelerator.hpp. supports_… is asked when a graph is built (from
// the thread that builds it), compute_… runs in the compute thread. Neither throws.
struct ggml_tensor;

namespace jikji::gemm {
class Attention;
}

namespace jikji::llama {

bool supports_mul_mat(const ggml_tensor* op) noexcept;
void compute_mul_mat(ggml_tensor* op, int threads);

bool supports_attention(const ggml_tensor* op) noexcept;
/// `attention` keeps the work space from call to call.
void compute_attention(gemm::Attention& attention, ggml_tensor* op, int threads);

}  // namespace jikji::llama
