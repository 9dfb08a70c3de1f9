// The adapter's part of a linear weight, forward and backward, in float32. The narrow factors (rank
// columns) are no work for a library's products: rows go through the cache once.
#include <algorithm>
#include <cstring>

#include "training/pass_work.hpp"

namespace jikji::training {
namespace {

constexpr int kRows = 8;      // that are worked on at a time
constexpr int kColumns = 64;  // of a share of add_outer

struct Adapter {
    const LoraPair& pair;
    int rank;
    float scale;
    const float* a;           // rank x n_in
    const float* b_turned;    // rank x n_out
    std::uint32_t threshold;  // of dropout; 0 = none
    float kept_factor;
};

void turn(const float* from, int rows, int columns, float* to) {
    for (int row = 0; row < rows; ++row)
        for (int column = 0; column < columns; ++column)
            to[area(column, rows) + static_cast<std::size_t>(row)] =
                from[area(row, columns) + static_cast<std::size_t>(column)];
}

Adapter adapter_of(Work& work, const Batch& batch, const Lora& lora, const LoraPair& pair) {
    const int rank = lora.options().rank;
    // Beside it, lora_backward() has as much for B's gradient.
    float* turned = work.lora_columns.floats(2 * area(rank, pair.n_out));
    turn(lora.b(pair).data(), pair.n_out, rank, turned);
    const float dropout = batch.drops ? lora.options().dropout : 0.0F;
    return {pair,
            rank,
            lora.scale(),
            lora.a(pair).data(),
            turned,
            drop_threshold(dropout),
            1.0F / (1.0F - dropout)};
}

/// Rows first..first+count-1 of the adapter's input: x's own, or what dropout leaves of them, in
/// `to`.
const float* input_of(const Work& work, const Batch& batch, const Adapter& adapter, const float* x,
                      int ldx, int first, int count, float* to) {
    const int n = adapter.pair.n_in;
    for (int r = 0; r < count; ++r) {
        const DropRow row = batch.drop_row(adapter.pair.layer, adapter.pair.module, first + r);
        work.kernels.drop(x + area(r, ldx), n, row, adapter.threshold, adapter.kept_factor,
                          to + area(r, n));
    }
    return to;
}

template <class Body>
void for_blocks(int first, int last, const Body& body) {
    for (int row = first; row < last; row += kRows) body(row, std::min(kRows, last - row));
}

/// dx += what `d_inner` says through A and dropout.
void back_through_a(const Work& work, const Batch& batch, const Adapter& adapter,
                    const float* d_inner, int row, int count, float* scratch, float* dx) {
    const int n = adapter.pair.n_in;
    float* to = dx + area(row, n);
    if (adapter.threshold == 0) {
        work.kernels.times_columns(d_inner, adapter.rank, count, adapter.a, n, true, to, n);
        return;
    }
    work.kernels.times_columns(d_inner, adapter.rank, count, adapter.a, n, false, scratch, n);
    for (int r = 0; r < count; ++r) {
        float* d = scratch + area(r, n);
        input_of(work, batch, adapter, d, n, row + r, 1, d);
        work.kernels.add(to + area(r, n), d, n, to + area(r, n));
    }
}

/// g (n_out x rank) += what stands in `turned` (rank x n_out).
void add_turned(const float* turned, int rank, int n_out, float* g) {
    for (int j = 0; j < rank; ++j)
        for (int row = 0; row < n_out; ++row)
            g[area(row, rank) + static_cast<std::size_t>(j)] +=
                turned[area(j, n_out) + static_cast<std::size_t>(row)];
}

}  // namespace

void lora_forward(Work& work, const Batch& batch, const Lora& lora, int layer, Module module,
                  const float* x, int ldx, float* y, int ldy) {
    const LoraPair* pair = lora.find(layer, module);
    if (pair == nullptr) return;
    const Adapter a = adapter_of(work, batch, lora, *pair);
    for_shares(work.threads, batch.rows, kRows, [&](int first, int last) {
        std::vector<float> dropped(a.threshold == 0 ? 0 : area(kRows, pair->n_in));
        std::vector<float> inner(area(kRows, a.rank));
        for_blocks(first, last, [&](int row, int count) {
            const float* in = x + area(row, ldx);
            int ld = ldx;
            if (a.threshold != 0) {
                in = input_of(work, batch, a, in, ldx, row, count, dropped.data());
                ld = pair->n_in;
            }
            work.kernels.times_rows(in, ld, count, a.a, a.rank, pair->n_in, a.scale, inner.data());
            work.kernels.times_columns(inner.data(), a.rank, count, a.b_turned, pair->n_out, true,
                                       y + area(row, ldy), ldy);
        });
    });
}

void lora_backward(Work& work, const Batch& batch, const Lora& lora, int layer, Module module,
                   const float* x, int ldx, const float* dy, int ldy, float* dx,
                   std::span<float> gradients) {
    const LoraPair* pair = lora.find(layer, module);
    if (pair == nullptr) return;
    const Adapter a = adapter_of(work, batch, lora, *pair);
    const int n_in = pair->n_in;
    const bool drops = a.threshold != 0;
    float* dropped = drops ? work.lora_input.floats(area(batch.rows, n_in)) : nullptr;
    float* inner = work.lora_inner.floats(2 * area(batch.rows, a.rank));
    float* d_inner = inner + area(batch.rows, a.rank);
    for_shares(work.threads, batch.rows, kRows, [&](int first, int last) {
        std::vector<float> scratch(drops ? area(kRows, n_in) : 0);
        for_blocks(first, last, [&](int row, int count) {
            const float* in = x + area(row, ldx);
            if (drops)
                in = input_of(work, batch, a, in, ldx, row, count, dropped + area(row, n_in));
            work.kernels.times_rows(in, drops ? n_in : ldx, count, a.a, a.rank, n_in, a.scale,
                                    inner + area(row, a.rank));
            float* d = d_inner + area(row, a.rank);
            work.kernels.times_rows(dy + area(row, ldy), ldy, count, a.b_turned, a.rank,
                                    pair->n_out, a.scale, d);
            if (dx != nullptr) back_through_a(work, batch, a, d, row, count, scratch.data(), dx);
        });
    });
    const float* in = drops ? dropped : x;
    const int ld = drops ? n_in : ldx;
    for_shares(work.threads, n_in, kColumns, [&](int first, int last) {
        work.kernels.add_outer(d_inner, a.rank, batch.rows, in + first, ld, last - first,
                               gradients.data() + pair->a + first, n_in);
    });
    float* d_b = work.lora_columns.floats(0) + area(a.rank, pair->n_out);
    std::memset(d_b, 0, area(a.rank, pair->n_out) * sizeof(float));
    for_shares(work.threads, pair->n_out, kColumns, [&](int first, int last) {
        work.kernels.add_outer(inner, a.rank, batch.rows, dy + first, ldy, last - first,
                               d_b + first, pair->n_out);
    });
    add_turned(d_b, a.rank, pair->n_out, gradients.data() + pair->b);
}

}  // namespace jikji::training
