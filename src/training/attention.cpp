#include "training/attention.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "base/cpu.hpp"
#include "training/attention_tiles.hpp"

namespace jikji::training {
namespace {

using Index = std::ptrdiff_t;

constexpr int kForwardPanels = 2;  // see KeyPanels
constexpr int kBackwardPanels = 3;
constexpr int kRangeTiles = 4;  // tiles of queries whose key gradients one thread sums up

int blocks_of(int tokens) { return (tokens + kTile - 1) / kTile; }

/// One call, cut into samples, heads, tiles and blocks. Nothing here depends on `threads`, nor on
/// what else is in the pack.
class Attention {
public:
    explicit Attention(const AttentionCall& call)
        : call_(call), shape_(call.shape), steps_(*call.steps) {
        const int step = 16 * steps_.pair;
        width_ = (shape_.head + step - 1) / step * step;
        rounds_ = call.precision == gemm::Precision::kBf16 && steps_.pair == 1;
        group_ = shape_.heads / shape_.kv_heads;
        panel_ = Index{kTile} * width_ / steps_.pair;
        first_block_.push_back(0);
        for (int sample = 0; sample < samples(); ++sample) {
            first_block_.push_back(first_block_.back() + blocks_of(length(sample)));
        }
    }

    int samples() const { return static_cast<int>(shape_.starts.size()); }
    int begin(int sample) const { return shape_.starts[static_cast<std::size_t>(sample)]; }
    int length(int sample) const {
        const bool last = sample + 1 == samples();
        return (last ? shape_.tokens : begin(sample + 1)) - begin(sample);
    }
    int blocks() const { return first_block_.back(); }
    int width() const { return width_; }
    int group() const { return group_; }
    int block_of(int sample) const { return first_block_[static_cast<std::size_t>(sample)]; }
    int sample_of(int block) const {
        const auto after = std::upper_bound(first_block_.begin(), first_block_.end(), block);
        return static_cast<int>(after - first_block_.begin()) - 1;
    }
    /// Tokens of a sample's block, in the pack.
    template <class Value>
    HeadRows<Value> rows(Value* x, Index stride, int head, int sample, int block) const {
        const int at = block * kTile;
        return {x + (begin(sample) + at) * stride + Index{head} * shape_.head, stride,
                std::min(kTile, length(sample) - at)};
    }
    Index out_row() const { return Index{shape_.heads} * shape_.head; }

    /// Of a block; one more where cells are rounded.
    int panels(int whole) const { return whole + (steps_.pair > 1 ? 1 : 0); }
    /// Panels of keys and values: [kv head][block of the pack][panels].
    std::size_t key_cells(int panels) const {
        return static_cast<std::size_t>(shape_.kv_heads * panels * blocks() * panel_);
    }
    Cell* keys(Cell* all, int panels, int kv_head, int block) const {
        return all + (Index{kv_head} * blocks() + block) * panels * panel_;
    }
    void pack(Cell* all, int kv_head, int block, bool forward, float* space) const {
        const int sample = sample_of(block);
        const int own = block - block_of(sample);
        const auto k = rows(call_.k, call_.kv_row, kv_head, sample, own);
        const auto v = rows(call_.v, call_.kv_row, kv_head, sample, own);
        const int rest = forward ? kForwardPanels : kBackwardPanels;
        Cell* to = keys(all, panels(rest), kv_head, block);
        const auto pack = [&](const HeadRows<const float>& from, Cell* rows, Cell* pairs) {
            steps_.pack(from, shape_.head, width_, 1, rounds_, false, space, rows, pairs, nullptr);
        };
        if (steps_.pair > 1) {
            steps_.pack(k, shape_.head, width_, 1, false, true, space, to + rest * panel_, nullptr,
                        nullptr);
        }
        if (forward) {
            pack(k, to, nullptr);
            pack(v, nullptr, to + panel_);
        } else {
            pack(k, to, to + panel_);
            pack(v, to + 2 * panel_, nullptr);
        }
    }

    TileTask task(int sample, int head, int tile, const Cell* keys, int whole, float* space) const {
        const auto mine = [&](auto* x, Index stride) {
            return rows(x, stride, head, sample, tile);
        };
        TileTask t{};
        t.head = shape_.head;
        t.width = width_;
        t.window = shape_.window;
        t.length = length(sample);
        t.first = tile * kTile;
        t.rounds = rounds_;
        t.scale = 1 / std::sqrt(static_cast<float>(shape_.head));
        t.keys = keys;
        t.block_cells = panels(whole) * panel_;
        t.rest = whole;
        t.q = mine(call_.q, call_.q_row);
        t.out = mine(call_.out, out_row());
        t.log_sum = call_.log_sum + Index{head} * shape_.tokens + begin(sample) + t.first;
        t.space = space;
        return t;
    }
    TileTask task_back(TileTask t, int sample, int head, int tile) const {
        t.d_out = rows(call_.d_out, out_row(), head, sample, tile);
        t.d_q = rows(call_.d_q, Index{call_.q_row}, head, sample, tile);
        return t;
    }

private:
    const AttentionCall& call_;
    const AttentionShape& shape_;
    const AttentionSteps& steps_;
    int width_;
    bool rounds_;
    int group_;
    Index panel_;
    std::vector<int> first_block_;  // of each sample, and the end
};

/// A part of the work that one thread does: tiles of queries against all that they see.
struct Unit {
    int sample;
    int head;  // forward: of queries; backward: of keys, for the whole group
    int tile;
    int tile_end;
    int block;   // the first that is seen
    Index sums;  // backward: where d_k of `block` lies, and d_v behind it
    Index cost() const {
        const Index tiles = tile_end - tile;
        return tiles * (tile + tile_end + 1 - 2 * block);
    }
};

/// `heads` and ranges of `tiles` tiles of each sample, in order.
std::vector<Unit> units_of(const Attention& a, const AttentionShape& shape, int heads, int tiles) {
    std::vector<Unit> units;
    Index sums = 0;
    for (int sample = 0; sample < a.samples(); ++sample) {
        const int all = blocks_of(a.length(sample));
        for (int head = 0; head < heads; ++head) {
            for (int tile = 0; tile < all; tile += tiles) {
                const int lowest = shape.window > 0 ? tile * kTile - shape.window + 1 : 0;
                Unit unit{
                    sample, head, tile, std::min(tile + tiles, all), std::max(0, lowest) / kTile,
                    sums};
                sums += Index{2} * (unit.tile_end - unit.block) * kTile * a.width();
                units.push_back(unit);
            }
        }
    }
    return units;
}

Index sums_of(const Attention& a, const Unit& unit) {
    return Index{unit.tile_end - unit.block} * kTile * a.width();
}

/// The longest first, so that threads end together.
std::vector<int> order_of(const std::vector<Unit>& units) {
    std::vector<int> order(units.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return units[static_cast<std::size_t>(a)].cost() >
               units[static_cast<std::size_t>(b)].cost();
    });
    return order;
}

/// Gradients of the keys and values of one block: what the units found, in their order.
void sum_up(const AttentionCall& call, const Attention& a, const std::vector<Unit>& units,
            const float* sums, int kv_head, int block) {
    constexpr float kLn2 = 0.693147181F;  // see TileTask::d_k
    const int sample = a.sample_of(block);
    const int own = block - a.block_of(sample);
    const auto d_k = a.rows(call.d_k, Index{call.kv_row}, kv_head, sample, own);
    const auto d_v = a.rows(call.d_v, Index{call.kv_row}, kv_head, sample, own);
    bool first = true;
    for (const Unit& unit : units) {
        if (unit.sample != sample || unit.head != kv_head) continue;
        if (own < unit.block || own >= unit.tile_end) continue;
        const float* k = sums + unit.sums + Index{own - unit.block} * kTile * a.width();
        const float* v = k + sums_of(a, unit);
        for (int row = 0; row < d_k.count; ++row, k += a.width(), v += a.width()) {
            float* to_k = d_k.first + row * d_k.stride;
            float* to_v = d_v.first + row * d_v.stride;
            for (int d = 0; d < call.shape.head; ++d) {
                to_k[d] = (first ? 0 : to_k[d]) + k[d] * kLn2;
                to_v[d] = (first ? 0 : to_v[d]) + v[d];
            }
        }
        first = false;
    }
}

void backward_unit(const AttentionCall& call, const Attention& a, const Unit& unit,
                   const Cell* keys, float* sums, float* space) {
    float* d_k = sums + unit.sums;
    float* d_v = d_k + sums_of(a, unit);
    std::fill_n(d_k, 2 * sums_of(a, unit), 0.0F);
    const Index before = Index{unit.block} * kTile * a.width();
    for (int tile = unit.tile; tile < unit.tile_end; ++tile) {
        for (int head = unit.head * a.group(); head < (unit.head + 1) * a.group(); ++head) {
            TileTask t = a.task(unit.sample, head, tile, keys, kBackwardPanels, space);
            t = a.task_back(t, unit.sample, head, tile);
            t.d_k = d_k - before;
            t.d_v = d_v - before;
            call.steps->backward(t);
        }
    }
}

/// What the calling thread of a team works in.
float* space_of(const LineFloats& spaces, const Attention& a) {
    return spaces.get() + tile_space(a.width()) * static_cast<std::size_t>(omp_get_thread_num());
}

}  // namespace

std::vector<const AttentionSteps*> attention_steps(gemm::Precision precision) {
    std::vector<const AttentionSteps*> steps;
#if defined(__x86_64__)
    if (precision == gemm::Precision::kBf16 && cpu::has_avx512_bf16()) {
        steps.push_back(&kBf16Attention);
    }
    if (cpu::has_avx512()) steps.push_back(&kAvx512Attention);
    if (cpu::has_avx2()) steps.push_back(&kAvx2Attention);
#endif
    steps.push_back(&kPortableAttention);
    return steps;
}

void run_forward(const AttentionCall& call) {
    const Attention a(call);
    const std::vector<Unit> units = units_of(a, call.shape, call.shape.heads, 1);
    const std::vector<int> order = order_of(units);
    const LineFloats keys(a.key_cells(a.panels(kForwardPanels)));
    const int packs = call.shape.kv_heads * a.blocks();
    const LineFloats spaces(tile_space(a.width()) * static_cast<std::size_t>(call.threads));
#pragma omp parallel num_threads(call.threads)
    {
        float* space = space_of(spaces, a);
#pragma omp for schedule(static)
        for (int i = 0; i < packs; ++i) {
            a.pack(keys.get(), i / a.blocks(), i % a.blocks(), true, space);
        }
#pragma omp for schedule(dynamic, 1)
        for (const int index : order) {
            const Unit& unit = units[static_cast<std::size_t>(index)];
            const Cell* own = a.keys(keys.get(), a.panels(kForwardPanels), unit.head / a.group(),
                                     a.block_of(unit.sample));
            call.steps->forward(
                a.task(unit.sample, unit.head, unit.tile, own, kForwardPanels, space));
        }
    }
}

void run_backward(const AttentionCall& call) {
    const Attention a(call);
    const std::vector<Unit> units = units_of(a, call.shape, call.shape.kv_heads, kRangeTiles);
    const std::vector<int> order = order_of(units);
    const LineFloats keys(a.key_cells(a.panels(kBackwardPanels)));
    const LineFloats sums(
        static_cast<std::size_t>(units.back().sums + 2 * sums_of(a, units.back())));
    const int packs = call.shape.kv_heads * a.blocks();
    const LineFloats spaces(tile_space(a.width()) * static_cast<std::size_t>(call.threads));
#pragma omp parallel num_threads(call.threads)
    {
        float* space = space_of(spaces, a);
#pragma omp for schedule(static)
        for (int i = 0; i < packs; ++i) {
            a.pack(keys.get(), i / a.blocks(), i % a.blocks(), false, space);
        }
#pragma omp for schedule(dynamic, 1)
        for (const int index : order) {
            const Unit& unit = units[static_cast<std::size_t>(index)];
            const Cell* own =
                a.keys(keys.get(), a.panels(kBackwardPanels), unit.head, a.block_of(unit.sample));
            backward_unit(call, a, unit, own, sums.get(), space);
        }
#pragma omp for schedule(static)
        for (int i = 0; i < packs; ++i) {
            sum_up(call, a, units, sums.get(), i / a.blocks(), i % a.blocks());
        }
    }
}

void attention_forward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                       int q_row, const float* k, const float* v, int kv_row, float* out,
                       float* log_sum, int threads) {
    if (shape.tokens == 0) return;
    run_forward({shape, precision, attention_steps(precision).front(), q, q_row, k, v, kv_row, out,
                 log_sum, threads, nullptr, nullptr, nullptr, nullptr});
}

void attention_backward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                        int q_row, const float* k, const float* v, int kv_row, const float* out,
                        const float* log_sum, const float* d_out, float* d_q, float* d_k,
                        float* d_v, int threads) {
    if (shape.tokens == 0) return;
    run_backward({shape, precision, attention_steps(precision).front(), q, q_row, k, v, kv_row,
                  const_cast<float*>(out), const_cast<float*>(log_sum), threads, d_out, d_q, d_k,
                  d_v});
}

}  // namespace jikji::training
