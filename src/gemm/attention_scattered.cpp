#include <cmath>
#include <cstring>

#include "gemm/attention_run.hpp"

namespace jikji::gemm {
namespace {

HeadRows gathered(const HeadRows& x) {
    HeadRows rows = x;
    rows.row_bytes = static_cast<std::size_t>(x.dim) * (x.type == Element::kF32 ? 4 : 2);
    return rows;
}

}  // namespace

// A block for all queries costs a kernel's run per head and 16 lanes, and its share of a panel.
// Gathered, each 64 keys of each query cost one run for all heads of the group, and half as much
// again to gather them. Measured on Zen 5: the two meet where this says.
bool AttentionRun::few_see_it(int tile, int block) const {
    const std::uint16_t* mask = mask_of(tile, block);
    int pairs = 0;
    for (int row = 0; row < rows_of(tile); ++row, mask += task_.mask_row) {
        std::uint16_t seen = 0;
        std::uint16_t biased = 0;
        for (int key = 0; key < keys_of(block); ++key) {
            seen = static_cast<std::uint16_t>(seen + (mask[key] != kHiddenBits));
            biased = static_cast<std::uint16_t>(
                biased + (mask[key] != kHiddenBits && (mask[key] & 0x7FFF) != 0));
        }
        if (biased != 0) return false;  // gathered keys carry no bias
        pairs += seen;
    }
    return pairs * 3 < kAttentionKeys * (2 * group_ * lanes_of(tile) / 16 + 1);
}

void AttentionRun::list_seen(int query) const {
    const int tile = query / kAttentionLanes;
    const std::uint16_t* mask = task_.mask + static_cast<std::size_t>(query) * task_.mask_row;
    int* out = space_.seen.data() + static_cast<std::size_t>(query) * task_.k.rows;
    int count = 0;
    for (int block = 0; block < blocks_; ++block) {
        if (kind(tile, block) != Tile::kScattered) continue;
        const int first = block * kAttentionKeys;
        const int keys = keys_of(block);
        for (int key = 0; key < keys; ++key) {
            std::uint64_t four = 0;
            if (key % 4 == 0 && key + 4 <= keys) {
                std::memcpy(&four, mask + first + key, sizeof four);
                if (four == 0xFC00FC00FC00FC00u) {
                    key += 3;
                    continue;
                }
            }
            if (mask[first + key] != kHiddenBits) out[count++] = first + key;
        }
    }
    space_.seen_count[static_cast<std::size_t>(query)] = count;
}

void AttentionRun::gather(int kv_head, const int* keys, int count, Scratch& s) const {
    const auto collect = [&](const HeadRows& x, std::byte* to) {
        const auto* head = static_cast<const std::byte*>(x.data) +
                           static_cast<std::size_t>(kv_head) * x.head_bytes;
        const std::size_t bytes = gathered(x).row_bytes;
        for (int i = 0; i < count; ++i, to += bytes) {
            std::memcpy(to, head + static_cast<std::size_t>(keys[i]) * x.row_bytes, bytes);
        }
        return to;
    };
    std::byte* v_rows = collect(task_.k, s.rows);
    collect(task_.v, v_rows);
    kernels_.pack_k(gathered(task_.k), s.rows, count, s.panel);
    kernels_.pack_v(gathered(task_.v), v_rows, count, s.panel + k_bytes_);
}

// One query in all heads of a group, which lie across the lanes.
void AttentionRun::work_scattered(int job, Scratch& s) const {
    constexpr int kLanes = 16;
    const int query = job / task_.k.heads;
    const int kv_head = job % task_.k.heads;
    const int count = space_.seen_count[static_cast<std::size_t>(query)];
    if (count == 0) return;
    const auto* q = static_cast<const std::byte*>(task_.q.data) +
                    static_cast<std::size_t>(query) * task_.q.row_bytes +
                    static_cast<std::size_t>(kv_head * group_) * task_.q.head_bytes;
    kernels_.pack_q(reinterpret_cast<const float*>(q), task_.q.head_bytes, group_, task_.k.dim,
                    kLanes, s.q);
    const AttentionState state = state_of(s, 0, kLanes);
    std::fill(state.o, state.top, 0.0f);
    std::fill(state.top, state.sum, kLogitFloor);
    std::fill(state.sum, state.sum + kLanes, 0.0f);
    const int* keys = space_.seen.data() + static_cast<std::size_t>(query) * task_.k.rows;
    for (int at = 0; at < count; at += kAttentionKeys) {
        const int here = std::min(kAttentionKeys, count - at);
        gather(kv_head, keys + at, here, s);
        const bool part = here < kAttentionKeys;
        if (part) {
            std::fill(s.bias, s.bias + here * kLanes, 0.0f);
            std::fill(s.bias + here * kLanes, s.bias + kAttentionKeys * kLanes, -INFINITY);
        }
        kernels_.attend(
            {s.q, s.panel, s.panel + k_bytes_, part ? s.bias : nullptr, s.scores, s.weights,
             task_.k.dim, task_.v.dim, kLanes, task_.scale, 1.0f, task_.softcap},
            state);
    }
    for (int h = 0; h < group_; ++h) {
        float* out = scattered_of(query, kv_head * group_ + h);
        for (int d = 0; d < task_.v.dim + 2; ++d) out[d] = state.o[d * kLanes + h];
    }
}

}  // namespace jikji::gemm
