#pragma once
// Causal attention of packed samples, forward and backward, without the n x n matrix: the forward
// pass keeps the log of each softmax's sum, and the backward pass computes its numerators again.
//
// Shapes     q is tokens x (heads · head), k and v are tokens x (kv_heads · head), rows `q_row` and
//            `kv_row` floats apart (they may lie beside each other in one array). out and d_out are
//            tokens x (heads · head) without gaps, log_sum is heads x tokens. Any head size.
// Scores     q·k / sqrt(head).
// Sees       token i sees j <= i of its own sample only, and of these the last `window` if that is
//            above 0. Blocks that nobody sees are not computed.
// Source     Dao 2023, arXiv:2307.08691.
// Precision  kF32: all in float32. kBf16: factors of products are rounded, sums are float32.
// Threads    one caller at a time; `threads` OpenMP threads. The result does not depend on their
//            number, nor a sample's on its neighbours: each sum is made by one thread, in one
//            order.
// Speed      2 Zen 5 cores, 1024 tokens of SmolLM2 (9 heads, 3 of keys, 64), forward + backward:
//            bf16 1.9 + 5.3 ms as one sample, 0.4 + 0.9 as eight; f32 3.1 + 7.8 and 0.6 + 1.4.
#include <span>

#include "gemm/gemm.hpp"

namespace jikji::training {

struct AttentionShape {
    int heads = 0;
    int kv_heads = 0;
    int head = 0;
    int window = 0;
    std::span<const int> starts;  // of samples, as in Pack
    int tokens = 0;
};

void attention_forward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                       int q_row, const float* k, const float* v, int kv_row, float* out,
                       float* log_sum, int threads);

/// d_q has q's layout, d_k and d_v those of k and v; they are written, not added to.
void attention_backward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                        int q_row, const float* k, const float* v, int kv_row, const float* out,
                        const float* log_sum, const float* d_out, float* d_q, float* d_k,
                        float* d_v, int threads);

}  // namespace jikji::training
