#pragma once
// What the parts of a pass share: the pack as they see it, weights, kernels and scratch memory.
// Shapes under the legend of base_model.hpp, with T rows: the pack's tokens and some of zeros, so
// that products come in few sizes. Threads: one owner.
#include <cstdint>
#include <span>
#include <vector>

#include "training/base_model.hpp"
#include "training/buffers.hpp"
#include "training/dropout.hpp"
#include "training/kernels.hpp"
#include "training/lora.hpp"
#include "training/pass.hpp"
#include "training/samples.hpp"
#include "training/weights.hpp"

namespace jikji::training {

inline constexpr int kRowsStep = 16;  // T is a multiple of it
inline int padded(int rows) { return (rows + kRowsStep - 1) / kRowsStep * kRowsStep; }
inline std::size_t area(int rows, int columns) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

/// A pack, and for each token where it stands in its sample.
struct Batch {
    const Pack* pack = nullptr;
    int rows = 0;  // T
    std::vector<int> positions;
    std::vector<std::uint64_t> samples;
    bool drops = false;
    DropoutKey key;

    int tokens() const { return pack->size(); }
    DropRow drop_row(int layer, Module module, int row) const;
};
Batch batch_of(const Pack& pack, bool drops, DropoutKey key);

/// cos and sin of each position's angles, as Kernels::rope reads them.
class RopeTables {
public:
    explicit RopeTables(const Shape& shape);
    void reach(int positions);
    const float* cosines(int position) const { return row(cosines_, position); }
    const float* sines(int position) const { return row(sines_, position); }
    const float* sines_back(int position) const { return row(sines_back_, position); }

private:
    const float* row(const std::vector<float>& of, int position) const {
        return of.data() + area(position, turned_);
    }
    int turned_;
    std::vector<double> angles_;  // of position 1
    std::vector<float> cosines_, sines_, sines_back_;
};

/// What backward needs of a layer's forward. Views.
struct LayerValues {
    float* x = nullptr;        // T x E, the layer's input
    float* qkv = nullptr;      // T x (H + 2 K) D, turned
    float* out = nullptr;      // T x H D, of attention
    float* log_sum = nullptr;  // H x T
    float* middle = nullptr;   // T x E, after attention
    Factors gate_up;           // T x 2 F

    /// Bytes of all but x, a multiple of 64.
    static std::size_t bytes(const Shape& shape, int rows, gemm::Precision precision);
    /// Lays them out in that many bytes.
    static LayerValues in(void* memory, float* x, const Shape& shape, int rows,
                          gemm::Precision precision);
};

struct Work {
    Work(const BaseModel& base, const PassOptions& options);

    const BaseModel& base;
    const Shape& shape;
    gemm::Precision precision;
    int threads;
    const Kernels& kernels;
    Weights weights;
    RopeTables rope;

    // Scratch, each of the size last asked for.
    Buffer normed;     // T x E, the input of adapters
    Buffer narrow;     // T x E
    Buffer wide;       // T x 2 F
    Buffer act;        // T x F, forward; its gradient, backward
    Buffer act_again;  // T x F, the input of down's adapter in backward
    Buffer heads;      // T x H D
    Buffer joined;     // T x (H + 2 K) D
    FactorBuffer narrow_factors;
    FactorBuffer wide_factors;
    Buffer lora_input, lora_inner, lora_columns;  // lora_products.cpp
    Buffer head_x, head_d, head_logits;           // head_loss.cpp
    FactorBuffer head_factors, head_powers;

    int joined_columns() const { return (shape.heads + 2 * shape.kv_heads) * shape.head; }
    int heads_columns() const { return shape.heads * shape.head; }
};

/// The largest of the scratch buffers above, together.
std::uint64_t scratch_bytes(const Shape& shape, int rows, gemm::Precision precision);

/// Fills v (but x) from v.x, and `next` with the layer's output; null: not wanted.
void layer_forward(Work& work, const Batch& batch, const Lora& lora, int layer,
                   const LayerValues& v, float* next);

/// dx (T x E): in, by the layer's output; out, by its input if `below`, else of no meaning. Adds to
/// the gradients of the layer's adapters.
void layer_backward(Work& work, const Batch& batch, const Lora& lora, int layer,
                    const LayerValues& v, float* dx, bool below, std::span<float> gradients);

/// From the last layer's output x. If dx is not null, writes weight · d(sum of losses) / dx to it.
Loss head_loss(Work& work, const Batch& batch, const float* x, float weight, float* dx);

/// y += scale · B A drop(x), rows of ldx and ldy floats; nothing if the module is not adapted.
void lora_forward(Work& work, const Batch& batch, const Lora& lora, int layer, Module module,
                  const float* x, int ldx, float* y, int ldy);

/// Adds to the gradients of A and B, and to dx (rows of n_in floats) unless that is null.
void lora_backward(Work& work, const Batch& batch, const Lora& lora, int layer, Module module,
                   const float* x, int ldx, const float* dy, int ldy, float* dx,
                   std::span<float> gradients);

}  // namespace jikji::training
