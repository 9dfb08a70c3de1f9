// One layer of the llama family: x + attention(norm(x)), then + feed-forward(norm(…)).
#include <algorithm>

#include "training/attention.hpp"
#include "training/pass_work.hpp"

namespace jikji::training {
namespace {

bool adapted(const Lora& lora, int layer, std::initializer_list<Module> modules) {
    return std::any_of(modules.begin(), modules.end(),
                       [&](Module m) { return lora.find(layer, m) != nullptr; });
}

/// Rows of norm(x), rounded for products, and kept as they are in `normed` unless that is null.
void normalise_rows(const Work& work, const float* x, const float* gain, int first, int last,
                    const Factors& to, float* normed) {
    const int n = work.shape.width;
    std::vector<float> row(static_cast<std::size_t>(n));
    for (int r = first; r < last; ++r) {
        float* h = normed != nullptr ? normed + area(r, n) : row.data();
        work.kernels.normalise(x + area(r, n), gain, n, work.shape.norm_epsilon, h);
        to.put(r, 0, h, n);
    }
}

void attend(Work& work, const Batch& batch, const Lora& lora, int layer, const LayerValues& v) {
    const Shape& s = work.shape;
    const int joined = work.joined_columns();
    const Factors h = work.narrow_factors.view(work.precision, batch.rows, s.width);
    float* normed = adapted(lora, layer, {Module::kQ, Module::kK, Module::kV})
                        ? work.normed.floats(area(batch.rows, s.width))
                        : nullptr;
    const float* gain = work.base.layer(layer).attention_norm.data();
    for_shares(work.threads, batch.rows, 1, [&](int first, int last) {
        normalise_rows(work, v.x, gain, first, last, h, normed);
    });
    work.weights.forward(layer, Joined::kQkv, h, batch.rows, v.qkv);
    float* k = v.qkv + s.heads * s.head;
    float* values = k + s.kv_heads * s.head;
    lora_forward(work, batch, lora, layer, Module::kQ, normed, s.width, v.qkv, joined);
    lora_forward(work, batch, lora, layer, Module::kK, normed, s.width, k, joined);
    lora_forward(work, batch, lora, layer, Module::kV, normed, s.width, values, joined);
    for_shares(work.threads, batch.rows, 1, [&](int first, int last) {
        for (int r = first; r < last; ++r) {
            const int position = batch.positions[static_cast<std::size_t>(r)];
            work.kernels.rope(v.qkv + area(r, joined), s.heads + s.kv_heads, s.head, s.rope_values,
                              work.rope.cosines(position), work.rope.sines(position));
        }
    });
    const AttentionShape shape{s.heads,  s.kv_heads,         s.head,
                               s.window, batch.pack->starts, batch.tokens()};
    attention_forward(shape, work.precision, v.qkv, joined, k, values, joined, v.out, v.log_sum,
                      work.threads);
    const int columns = work.heads_columns();
    std::fill(v.out + area(batch.tokens(), columns), v.out + area(batch.rows, columns), 0.0F);
}

void round_rows(const Work& work, const float* from, int rows, const Factors& to) {
    for_shares(work.threads, rows, 1, [&](int first, int last) {
        to.put(first, 0, from + area(first, to.columns), (last - first) * to.columns);
    });
}

/// v.middle = x + W out, and its norm in `h`.
void project(Work& work, const Batch& batch, const Lora& lora, int layer, const LayerValues& v,
             const Factors& out, float* normed) {
    const int width = work.shape.width;
    round_rows(work, v.out, batch.rows, out);
    float* y = work.narrow.floats(area(batch.rows, width));
    work.weights.forward(layer, Joined::kOut, out, batch.rows, y);
    lora_forward(work, batch, lora, layer, Module::kO, v.out, work.heads_columns(), y, width);
    const Factors h = work.narrow_factors.view(work.precision, batch.rows, width);
    const float* gain = work.base.layer(layer).feed_norm.data();
    for_shares(work.threads, batch.rows, 1, [&](int first, int last) {
        for (int r = first; r < last; ++r) {
            const std::size_t at = area(r, width);
            work.kernels.add(v.x + at, y + at, width, v.middle + at);
            normalise_rows(work, v.middle, gain, r, r + 1, h, normed);
        }
    });
}

/// silu(gate) · up of both side by side, rounded into `act`, and as it is in `exact` unless that is
/// null. Gate and up are kept.
void activate(const Work& work, const Batch& batch, const float* both, const LayerValues& v,
              const Factors& act, float* exact) {
    const int feed = work.shape.feed;
    for_shares(work.threads, batch.rows, 1, [&](int first, int last) {
        std::vector<float> row(static_cast<std::size_t>(feed));
        for (int r = first; r < last; ++r) {
            const float* gate = both + area(r, 2 * feed);
            float* to = exact != nullptr ? exact + area(r, feed) : row.data();
            work.kernels.swiglu(gate, gate + feed, feed, to);
            act.put(r, 0, to, feed);
            if (v.gate_up.data != both) v.gate_up.put(r, 0, gate, 2 * feed);
        }
    });
}

}  // namespace

void layer_forward(Work& work, const Batch& batch, const Lora& lora, int layer,
                   const LayerValues& v, float* next) {
    const Shape& s = work.shape;
    attend(work, batch, lora, layer, v);
    float* normed = adapted(lora, layer, {Module::kGate, Module::kUp})
                        ? work.normed.floats(area(batch.rows, s.width))
                        : nullptr;
    const Factors out = work.wide_factors.view(work.precision, batch.rows, work.heads_columns());
    project(work, batch, lora, layer, v, out, normed);
    const bool kept_whole = v.gate_up.precision == gemm::Precision::kF32;
    float* both = kept_whole ? static_cast<float*>(v.gate_up.data)
                             : work.wide.floats(area(batch.rows, 2 * s.feed));
    const Factors h = work.narrow_factors.view(work.precision, batch.rows, s.width);
    work.weights.forward(layer, Joined::kGateUp, h, batch.rows, both);
    lora_forward(work, batch, lora, layer, Module::kGate, normed, s.width, both, 2 * s.feed);
    lora_forward(work, batch, lora, layer, Module::kUp, normed, s.width, both + s.feed, 2 * s.feed);
    float* exact =
        adapted(lora, layer, {Module::kDown}) ? work.act.floats(area(batch.rows, s.feed)) : nullptr;
    const Factors act = work.wide_factors.view(work.precision, batch.rows, s.feed);
    activate(work, batch, both, v, act, exact);
    if (next == nullptr) return;
    float* y = work.narrow.floats(area(batch.rows, s.width));
    work.weights.forward(layer, Joined::kDown, act, batch.rows, y);
    lora_forward(work, batch, lora, layer, Module::kDown, exact, s.feed, y, s.width);
    for_shares(work.threads, batch.rows, 1, [&](int first, int last) {
        const std::size_t at = area(first, s.width);
        work.kernels.add(v.middle + at, y + at, (last - first) * s.width, next + at);
    });
}

}  // namespace jikji::training
