#pragma once
// A device for ggml's scheduler that computes on this CPU what we compute faster than ggml does:
// products of many tokens with a weight matrix (accelerator_mul_mat.cpp), and the attention of many
// tokens (accelerator_attention.cpp). It works in ggml's own memory, so nothing is copied to it,
// and on the same OpenMP threads.
//
// To add an operation: a file accelerator_<operation>.cpp with a supports_… and a compute_…,
// declared in accelerator_ops.hpp and listed in both switches of accelerator.cpp.
//
// JIKJI_GEMM in the environment, for measuring and for tests: off leaves everything to ggml; f32
// and bf16 multiply in that; slabs keeps no panels, as for models that are too large for them; the
// last two may stand together (f32,slabs).
// JIKJI_ATTENTION=off leaves attention to it.
#include <ggml.h>

#include "gemm/gemm.hpp"

struct ggml_backend_buffer;

namespace jikji::llama {

/// Makes the device known to ggml; models that are loaded afterwards use it. May be called often.
void register_accelerator();

bool accelerator_wanted();
bool attention_wanted();
gemm::Precision wanted_precision();  // of what has not been rounded yet
/// What weights of this type, in rows of k, are multiplied in.
gemm::Precision wanted_precision(ggml_type type, int k);
bool panels_wanted();

/// Whether the CPU backend keeps the tensors of this buffer in an order that only it can read.
bool keeps_own_order(ggml_backend_buffer* buffer);

}  // namespace jikji::llama
