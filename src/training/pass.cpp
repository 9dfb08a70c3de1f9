#include "training/pass.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "training/pass_work.hpp"

namespace jikji::training {
namespace {

std::uint64_t inputs_bytes(const Shape& shape, int rows) {
    return (static_cast<std::uint64_t>(shape.layers) + 2) * area(rows, shape.width) * sizeof(float);
}

double linear_flops(const Shape& shape) {
    double layer = 0;
    for (int m = 0; m < kModules; ++m) {
        const auto module = static_cast<Module>(m);
        layer += 2.0 * shape.n_in(module) * shape.n_out(module);
    }
    return layer * shape.layers;
}

/// Of one token: q · k and p · v over the half of `length` that it sees on average.
double attention_flops(const Shape& shape, int length) {
    return 4.0 * shape.heads * shape.head * (length / 2.0) * shape.layers;
}

double head_flops(const Shape& shape) { return 2.0 * shape.width * shape.vocabulary; }

double lora_flops(const Shape& shape, const LoraOptions& lora) {
    double layer = 0;
    for (const Module m : lora.targets) {
        layer += 2.0 * lora.rank * (shape.n_in(m) + shape.n_out(m));
    }
    return layer * shape.layers;
}

constexpr double kFreeShare = 0.5;
constexpr double kWeightsShare = 0.6;
constexpr std::uint64_t kWeightsInPart = 2ULL << 30;
constexpr std::uint64_t kActivationsLeast = 640ULL << 20;  // a pack of 1,024 tokens of SmolLM2-135M

}  // namespace

PassOptions within(PassOptions options, std::uint64_t bytes) {
    const auto weights = static_cast<std::uint64_t>(static_cast<double>(bytes) * kWeightsShare);
    options.weight_bytes_most = weights;
    options.activation_bytes_most = bytes - weights;
    return options;
}

PassOptions within_free(PassOptions options, const BaseModel& base, std::uint64_t free) {
    const double share = static_cast<double>(free) * kFreeShare;
    PassOptions out = within(options, static_cast<std::uint64_t>(share));
    if (Weights::bytes_of_all(base.shape(), options.precision) > out.weight_bytes_most) {
        out.weight_bytes_most = std::min(out.weight_bytes_most, kWeightsInPart);
    }
    const std::uint64_t activations =
        std::max<std::uint64_t>(kActivationsLeast, base.bytes().size());
    out.activation_bytes_most = std::min(out.activation_bytes_most, activations);
    return out;
}

struct Pass::Space {
    Space(const BaseModel& base, const PassOptions& options)
        : work(base, options), bytes_most(options.activation_bytes_most) {
        if (work.weights.bytes_kept() == Weights::bytes_of_all(base.shape(), options.precision)) {
            base.forget();
        }
    }

    void start(const Batch& batch) {
        const auto& tokens = batch.pack->tokens;
        const auto known = [&](Token t) { return t >= 0 && t < work.shape.vocabulary; };
        JIKJI_CHECK(!tokens.empty() && std::all_of(tokens.begin(), tokens.end(), known));
        work.rope.reach(*std::max_element(batch.positions.begin(), batch.positions.end()) + 1);
    }

    float* input(int layer, int rows) {
        return inputs.floats(0) + area(layer, 1) * area(rows, work.shape.width);
    }

    void embed(const Batch& batch, float* x) {
        const int width = work.shape.width;
        const auto& tokens = batch.pack->tokens;
        for_shares(work.threads, batch.tokens(), 1, [&](int first, int last) {
            for (int row = first; row < last; ++row) {
                work.base.embedding().read(tokens[static_cast<std::size_t>(row)], 1,
                                           x + area(row, width));
            }
        });
        std::fill(x + area(batch.tokens(), width), x + area(batch.rows, width), 0.0F);
    }

    /// Layers whose activations fit; those of the others are computed again.
    int kept_layers(int rows) const {
        const Shape& s = work.shape;
        const std::uint64_t fixed = inputs_bytes(s, rows) + scratch_bytes(s, rows, work.precision);
        const std::uint64_t layer = LayerValues::bytes(s, rows, work.precision);
        if (bytes_most < fixed + 2 * layer) return 0;
        return static_cast<int>(std::min<std::uint64_t>((bytes_most - fixed) / layer - 1,
                                                        static_cast<std::uint64_t>(s.layers)));
    }

    Work work;
    std::uint64_t bytes_most;
    Buffer inputs;  // of all layers, and the last one's output: T x E each
    Buffer kept;    // LayerValues of the last layers, and of one that is not kept
    Buffer gradient;
};

Pass::Pass(const BaseModel& base, const PassOptions& options) {
    const bool known =
        options.precision == gemm::Precision::kF32 || options.precision == gemm::Precision::kBf16;
    JIKJI_CHECK(known && options.threads > 0);
    space_ = std::make_unique<Space>(base, options);
}

Pass::~Pass() = default;

Loss Pass::evaluate(const Pack& pack, const Lora& lora) {
    Space& space = *space_;
    const Batch batch = batch_of(pack, false, {});
    space.start(batch);
    Work& work = space.work;
    space.inputs.at_least(2 * area(batch.rows, work.shape.width) * sizeof(float));
    void* memory = space.kept.at_least(LayerValues::bytes(work.shape, batch.rows, work.precision));
    float* x = space.input(0, batch.rows);
    float* next = space.input(1, batch.rows);
    space.embed(batch, x);
    for (int layer = 0; layer < work.shape.layers; ++layer) {
        const auto v = LayerValues::in(memory, x, work.shape, batch.rows, work.precision);
        layer_forward(work, batch, lora, layer, v, next);
        std::swap(x, next);
    }
    return head_loss(work, batch, x, 0, nullptr);
}

Loss Pass::train(const Pack& pack, const Lora& lora, DropoutKey key, float weight,
                 std::span<float> gradients) {
    JIKJI_CHECK(gradients.size() == lora.values().size() && !lora.pairs().empty());
    Space& space = *space_;
    Work& work = space.work;
    const Batch batch = batch_of(pack, lora.options().dropout > 0, key);
    space.start(batch);
    const int layers = work.shape.layers;
    const int kept = space.kept_layers(batch.rows);
    const std::size_t bytes = LayerValues::bytes(work.shape, batch.rows, work.precision);
    const int slots = kept < layers ? kept + 1 : kept;
    auto* memory = static_cast<char*>(space.kept.at_least(bytes * static_cast<std::size_t>(slots)));
    space.inputs.at_least(inputs_bytes(work.shape, batch.rows));
    const auto values_of = [&](int layer) {
        const int slot = layer < layers - kept ? slots - 1 : layer - (layers - kept);
        return LayerValues::in(memory + static_cast<std::size_t>(slot) * bytes,
                               space.input(layer, batch.rows), work.shape, batch.rows,
                               work.precision);
    };
    space.embed(batch, space.input(0, batch.rows));
    for (int layer = 0; layer < layers; ++layer) {
        layer_forward(work, batch, lora, layer, values_of(layer),
                      space.input(layer + 1, batch.rows));
    }
    float* dx = space.gradient.floats(area(batch.rows, work.shape.width));
    const Loss loss = head_loss(work, batch, space.input(layers, batch.rows), weight, dx);
    const int lowest = lora.pairs().front().layer;
    for (int layer = layers - 1; layer >= lowest; --layer) {
        const LayerValues v = values_of(layer);
        if (layer < layers - kept) layer_forward(work, batch, lora, layer, v, nullptr);
        layer_backward(work, batch, lora, layer, v, dx, layer > lowest, gradients);
    }
    return loss;
}

std::uint64_t Pass::activation_bytes(const Shape& shape, int tokens, bool again) {
    const int rows = padded(tokens);
    const gemm::Precision precision = gemm::best_precision();
    const auto layers = static_cast<std::uint64_t>(again ? 2 : shape.layers + 1);
    return inputs_bytes(shape, rows) + scratch_bytes(shape, rows, precision) +
           layers * LayerValues::bytes(shape, rows, precision);
}

std::uint64_t Pass::weight_bytes() const { return space_->work.weights.bytes_kept(); }

double Pass::forward_flops(const Shape& shape, const LoraOptions& lora, int length) {
    return linear_flops(shape) + attention_flops(shape, length) + head_flops(shape) +
           lora_flops(shape, lora);
}

double Pass::backward_flops(const Shape& shape, const LoraOptions& lora, int length) {
    return linear_flops(shape) + 2.5 * attention_flops(shape, length) + head_flops(shape) +
           2 * lora_flops(shape, lora);
}

}  // namespace jikji::training
