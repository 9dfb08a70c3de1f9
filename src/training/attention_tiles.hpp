#pragma once
// Private to training: attention in tiles of 64 queries against blocks of 64 keys, once per
// instruction set.
//
// Cells      panels consist of cells of 32 bits: a float32, or two bfloat16 that lie beside each
//            other along the sum of a product. `pair` says how many values a cell holds.
// Panels     of 64 rows of a head; `width` is the head's size, up to a multiple of 16 cells, and
//            what is beyond the head or the sample is zero:
//              rows   [64][width / pair]     the rows as they are
//              pairs  [64 / pair][width]     cells go down the rows
//              lanes  [width / pair][64]     the rows' cells, transposed
// Lanes      queries lie across the lanes of vectors (scores are [key][query]), so that sums over
//            keys need no sum across lanes.
#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "training/attention.hpp"

namespace jikji::training {

using Cell = float;

constexpr int kTile = 64;
constexpr int kTileSquare = kTile * kTile;

/// `count` rows of a head, `stride` floats apart.
template <class Value>
struct HeadRows {
    Value* first = nullptr;
    std::ptrdiff_t stride = 0;
    int count = 0;
};

/// Floats that start at a cache line and hold nothing in particular.
class LineFloats {
public:
    explicit LineFloats(std::size_t count)
        : data_(static_cast<float*>(::operator new(count * sizeof(float), kLine))) {}
    float* get() const { return data_.get(); }

private:
    static constexpr std::align_val_t kLine{64};
    struct Free {
        void operator()(float* data) const { ::operator delete(data, kLine); }
    };
    std::unique_ptr<float, Free> data_;
};

/// The panels of 64 keys and their values, one behind the other. Forward passes need k_rows and
/// v_pairs, backward passes k_rows, k_pairs and v_rows.
struct KeyPanels {
    const Cell* k_rows;
    const Cell* k_pairs;
    const Cell* v_rows;
    const Cell* v_pairs;
    const Cell* k_rest;  // where a cell is two bfloat16: as k_rows, of what rounding took away
};

/// A tile of queries of one head, and all that they see.
struct TileTask {
    int head;          // values
    int width;         // of panels
    int window;        // 0: no limit
    int length;        // tokens of the sample
    int first;         // query of the tile, in the sample
    bool rounds;       // cells of one value are rounded to bfloat16 even so
    float scale;       // of scores
    const Cell* keys;  // panels of the sample's blocks, block_cells apart
    int rest;          // which of them is k_rest
    std::ptrdiff_t block_cells;
    HeadRows<const float> q;
    HeadRows<float> out;  // written by forward, read by backward
    float* log_sum;       // of the tile's queries, as `out`
    HeadRows<const float> d_out;
    HeadRows<float> d_q;
    float* d_k;  // [64 · blocks][width], of block 0; added to; times ln 2 it is the gradient
    float* d_v;  // as d_k; the gradient
    float* space;
};

struct AttentionSteps {
    const char* name;
    int pair;
    /// Those panels of up to 64 rows, times `factor`, that are not null; of what rounding takes
    /// away from them, if `rest`. `space`: 64 x width.
    void (*pack)(const HeadRows<const float>& from, int head, int width, float factor, bool rounds,
                 bool rest, float* space, Cell* rows, Cell* pairs, Cell* lanes);
    void (*forward)(const TileTask& task);
    void (*backward)(const TileTask& task);
};

/// Floats that a TileTask's space holds.
constexpr std::size_t tile_space(int width) {
    return static_cast<std::size_t>(8 * kTile * width + 5 * kTileSquare + 8 * kTile);
}

extern const AttentionSteps kPortableAttention;
#if defined(__x86_64__)
extern const AttentionSteps kAvx2Attention;    // AVX2 and FMA
extern const AttentionSteps kAvx512Attention;  // AVX-512 F, BW, VL, DQ
extern const AttentionSteps kBf16Attention;    // and AVX512-BF16
#endif

/// What this CPU can run for a precision, the fastest first.
std::vector<const AttentionSteps*> attention_steps(gemm::Precision precision);

/// As attention_forward() and attention_backward(), with these steps.
struct AttentionCall {
    AttentionShape shape;
    gemm::Precision precision;
    const AttentionSteps* steps;
    const float* q;
    int q_row;
    const float* k;
    const float* v;
    int kv_row;
    float* out;
    float* log_sum;
    int threads;
    // Backward only.
    const float* d_out;
    float* d_q;
    float* d_k;
    float* d_v;
};
void run_forward(const AttentionCall& call);
void run_backward(const AttentionCall& call);

}  // namespace jikji::training
