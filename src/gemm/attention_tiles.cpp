#include <cmath>

#include "gemm/attention_run.hpp"

namespace jikji::gemm {
// ALiBi's slope of a head: a geometric series over the heads, as llama.cpp and the paper have it.
float slope_of(float max_bias, int head, int heads) {
    if (!(max_bias > 0)) return 1.0f;
    const int power = 1 << static_cast<int>(std::floor(std::log2(heads)));
    const bool first = head < power;
    const float base = std::exp2(-(first ? max_bias : max_bias / 2) / static_cast<float>(power));
    return std::pow(base, static_cast<float>(first ? head + 1 : 2 * (head - power) + 1));
}

bool AttentionRun::wanted(int block) const {
    for (int tile = 0; tile < tiles_; ++tile) {
        if (kind(tile, block) != Tile::kHidden) return true;
    }
    return false;
}

void AttentionRun::pack(int head, int slot, int block) const {
    if (!wanted(block)) return;
    const auto first = [&](const HeadRows& x) {
        return static_cast<const std::byte*>(x.data) +
               static_cast<std::size_t>(head) * x.head_bytes +
               static_cast<std::size_t>(block) * kAttentionKeys * x.row_bytes;
    };
    std::byte* panel = k_panel(slot, block);
    kernels_.pack_k(task_.k, first(task_.k), keys_of(block), panel);
    kernels_.pack_v(task_.v, first(task_.v), keys_of(block), panel + k_bytes_);
}

// A tile of queries in some heads of one group: they share the keys, the values and the mask.
void AttentionRun::work(int job, int first_head, Scratch& s) const {
    const int parts = blocks_of(group_, job_heads_);
    const int tile = tiles_ - 1 - job / (parts * heads_at_once_);  // causal: the longest first
    const int slot = job / parts % heads_at_once_;
    const int part = job % parts * job_heads_;
    const int heads = std::min(job_heads_, group_ - part);
    const int head = (first_head + slot) * group_ + part;
    if (head >= task_.q.heads) return;
    const int lanes = lanes_of(tile);
    const int rows = rows_of(tile);
    for (int h = 0; h < heads; ++h) {
        const auto* q = static_cast<const std::byte*>(task_.q.data) +
                        static_cast<std::size_t>(head + h) * task_.q.head_bytes +
                        static_cast<std::size_t>(tile) * kAttentionLanes * task_.q.row_bytes;
        kernels_.pack_q(reinterpret_cast<const float*>(q), task_.q.row_bytes, rows, task_.k.dim,
                        lanes, s.q + static_cast<std::size_t>(h) * s.q_bytes);
        const AttentionState state = state_of(s, h, lanes);
        std::fill(state.o, state.top, 0.0f);
        std::fill(state.top, state.sum, kLogitFloor);
        std::fill(state.sum, state.sum + lanes, 0.0f);
    }
    attend_blocks(tile, head, heads, slot, s);
    for (int h = 0; h < heads; ++h) finish(head + h, tile, s, h);
}

void AttentionRun::attend_blocks(int tile, int head, int heads, int slot, Scratch& s) const {
    const int lanes = lanes_of(tile);
    for (int block = 0; block < blocks_; ++block) {
        const Tile how = kind(tile, block);
        if (how == Tile::kHidden) continue;
        if (how == Tile::kMixed && task_.mask) {
            kernels_.spread_bias(mask_of(tile, block), task_.mask_row, rows_of(tile),
                                 keys_of(block), lanes, s.bias);
        } else if (how == Tile::kMixed) {
            const auto shown = s.bias + static_cast<std::ptrdiff_t>(keys_of(block)) * lanes;
            std::fill(s.bias, shown, 0.0f);
            std::fill(shown, s.bias + static_cast<std::ptrdiff_t>(kAttentionKeys) * lanes,
                      -INFINITY);
        }
        const std::byte* k = k_panel(slot, block);
        AttentionBlock b = {
            nullptr,  k,           k + k_bytes_, how == Tile::kMixed ? s.bias : nullptr,
            s.scores, s.weights,   task_.k.dim,  task_.v.dim,
            lanes,    task_.scale, 1.0f,         task_.softcap};
        for (int h = 0; h < heads; ++h) {
            b.q = s.q + static_cast<std::size_t>(h) * s.q_bytes;
            b.slope = slope_of(task_.max_bias, head + h, task_.q.heads);
            kernels_.attend(b, state_of(s, h, lanes));
        }
    }
}

// o / sum, after a sink has had its share; from lanes to rows.
void AttentionRun::finish(int head, int tile, const Scratch& s, int slot) const {
    const int lanes = lanes_of(tile);
    const AttentionState state = state_of(s, slot, lanes);
    for (int row = 0; row < rows_of(tile); ++row) {
        float factor = 1.0f;
        float sum = state.sum[row];
        if (task_.sinks) {
            const float top = std::max(state.top[row], task_.sinks[head]);
            factor = std::exp(state.top[row] - top);
            sum = sum * factor + std::exp(task_.sinks[head] - top);
        }
        factor = sum > 0 ? factor / sum : 0.0f;
        const auto query = static_cast<std::size_t>(tile) * kAttentionLanes + row;
        float* out =
            task_.out + (query * task_.q.heads + head) * static_cast<std::size_t>(task_.v.dim);
        for (int d = 0; d < task_.v.dim; ++d) out[d] = state.o[d * lanes + row] * factor;
    }
}

}  // namespace jikji::gemm
