// FLASH_ATTN_EXT by gemm. ggml walks all cells of the cache for each query and head, and asks the
// mask about every one; gemm asks once for all heads, and skips what other sequences keep there.
//
// Every count of queries is taken, although ggml is as fast for one: were it left to ggml, the text
// of a sequence would depend on whether another is in its step (engine_test.cpp: "greedy text is
// the same alone, again, and beside others").
#include <ggml.h>

#include <cstring>

#include "gemm/attention.hpp"
#include "llama/accelerator_ops.hpp"

namespace jikji::llama {
namespace {

bool known_type(const ggml_tensor* x) {
    return x->type == GGML_TYPE_F16 || x->type == GGML_TYPE_BF16 || x->type == GGML_TYPE_F32;
}

gemm::Element element_of(const ggml_tensor* x) {
    if (x->type == GGML_TYPE_F16) return gemm::Element::kF16;
    return x->type == GGML_TYPE_BF16 ? gemm::Element::kBf16 : gemm::Element::kF32;
}

// Of one stream (dimension 3): a cache that sequences share has one, a divided one has several.
gemm::HeadRows rows_of(const ggml_tensor* x, std::int64_t stream) {
    return {static_cast<const char*>(x->data) + static_cast<std::size_t>(stream) * x->nb[3],
            element_of(x),
            static_cast<int>(x->ne[0]),
            static_cast<int>(x->ne[1]),
            static_cast<int>(x->ne[2]),
            x->nb[1],
            x->nb[2]};
}

bool rows_are_whole(const ggml_tensor* x) { return x->nb[0] == ggml_type_size(x->type); }

float parameter(const ggml_tensor* op, int index) {
    float value;
    std::memcpy(&value, &op->op_params[index], sizeof value);
    return value;
}

}  // namespace

bool supports_attention(const ggml_tensor* op) noexcept {
    const ggml_tensor* q = op->src[0];
    const ggml_tensor* k = op->src[1];
    const ggml_tensor* v = op->src[2];
    const ggml_tensor* mask = op->src[3];
    const ggml_tensor* sinks = op->src[4];
    if (q->type != GGML_TYPE_F32) return false;
    if (!known_type(k) || !known_type(v)) return false;
    if (!rows_are_whole(q) || !rows_are_whole(k) || !rows_are_whole(v)) return false;
    if (!gemm::attention_supports(static_cast<int>(k->ne[0]), static_cast<int>(v->ne[0]))) {
        return false;
    }
    if (k->ne[2] != v->ne[2] || q->ne[2] % k->ne[2] != 0) return false;
    if (k->ne[3] != q->ne[3] || v->ne[3] != q->ne[3]) return false;
    // One mask for all heads.
    if (mask && (mask->type != GGML_TYPE_F16 || mask->ne[2] != 1)) return false;
    if (sinks && sinks->type != GGML_TYPE_F32) return false;
    return parameter(op, 0) > 0 && ggml_is_contiguous(op);
}

void compute_attention(gemm::Attention& attention, ggml_tensor* op, int threads) {
    const ggml_tensor* mask = op->src[3];
    for (std::int64_t stream = 0; stream < op->ne[3]; ++stream) {
        gemm::AttentionTask task;
        task.q = rows_of(op->src[0], stream);
        task.k = rows_of(op->src[1], stream);
        task.v = rows_of(op->src[2], stream);
        task.out = reinterpret_cast<float*>(static_cast<char*>(op->data) +
                                            static_cast<std::size_t>(stream) * op->nb[3]);
        task.scale = parameter(op, 0);
        task.max_bias = parameter(op, 1);
        task.softcap = parameter(op, 2);
        if (mask) {
            const auto at = static_cast<std::size_t>(stream % mask->ne[3]) * mask->nb[3];
            task.mask =
                reinterpret_cast<const std::uint16_t*>(static_cast<const char*>(mask->data) + at);
            task.mask_row = mask->nb[1] / sizeof(std::uint16_t);
        }
        if (op->src[4]) task.sinks = static_cast<const float*>(op->src[4]->data);
        attention.run(task, threads);
    }
}

}  // namespace jikji::llama
