#include <ggml.h>

#include "llama/accelerator_ops.hpp"
#include "llama/dense_weights.hpp"

namespace jikji::llama {

bool supports_mul_mat(const ggml_tensor* op) noexcept {
    const ggml_tensor* w = op->src[0];
    const ggml_tensor* x = op->src[1];
    if (x->type != GGML_TYPE_F32 || !ggml_is_contiguous(x) || !ggml_is_contiguous(op)) return false;
    // Parameter 0: the model wants float32. Parameter 1: a hint that ggml has a special way for.
    if (op->op_params[0] != GGML_PREC_DEFAULT || op->op_params[1] != 0) return false;
    const DenseWeight* weight = DenseWeights::find(w);
    return weight != nullptr && ggml_nrows(x) >= weight->rows_least;
}

void compute_mul_mat(ggml_tensor* op, int threads) {
    DenseWeight* weight = DenseWeights::find(op->src[0]);
    const ggml_tensor* x = op->src[1];
    weight->multiply(static_cast<const float*>(x->data), static_cast<int>(ggml_nrows(x)),
                     static_cast<float*>(op->data), threads);
}

}  // namespace jikji::llama
