#include "training/pass_work.hpp"

#include <algorithm>
#include <cmath>

namespace jikji::training {
namespace {

int joined_columns(const Shape& shape) { return (shape.heads + 2 * shape.kv_heads) * shape.head; }

}  // namespace

DropRow Batch::drop_row(int layer, Module module, int row) const {
    const auto at = static_cast<std::size_t>(row);
    return training::drop_row(key, layer, module, samples[at], positions[at]);
}

Batch batch_of(const Pack& pack, bool drops, DropoutKey key) {
    Batch batch{&pack, padded(pack.size()), {}, {}, drops, key};
    const auto rows = static_cast<std::size_t>(batch.rows);
    batch.positions.assign(rows, 0);
    batch.samples.assign(rows, 0);
    for (std::size_t s = 0; s < pack.starts.size(); ++s) {
        const int end = s + 1 < pack.starts.size() ? pack.starts[s + 1] : pack.size();
        for (int i = pack.starts[s]; i < end; ++i) {
            batch.positions[static_cast<std::size_t>(i)] = i - pack.starts[s];
            batch.samples[static_cast<std::size_t>(i)] = pack.samples[s];
        }
    }
    return batch;
}

RopeTables::RopeTables(const Shape& shape) : turned_(shape.rope_values) {
    for (int i = 0; i < turned_ / 2; ++i) {
        double angle = shape.rope_scale * std::pow(static_cast<double>(shape.rope_base),
                                                   -2.0 * i / static_cast<double>(turned_));
        if (!shape.rope_factors.empty()) angle /= shape.rope_factors[static_cast<std::size_t>(i)];
        angles_.push_back(angle);
    }
}

void RopeTables::reach(int positions) {
    const auto turned = static_cast<std::size_t>(turned_);
    for (std::size_t p = cosines_.size() / turned; p < static_cast<std::size_t>(positions); ++p) {
        for (const double angle : angles_) {
            const auto c = static_cast<float>(std::cos(static_cast<double>(p) * angle));
            const auto s = static_cast<float>(std::sin(static_cast<double>(p) * angle));
            cosines_.insert(cosines_.end(), {c, c});
            sines_.insert(sines_.end(), {-s, s});
            sines_back_.insert(sines_back_.end(), {s, -s});
        }
    }
}

std::size_t LayerValues::bytes(const Shape& shape, int rows, gemm::Precision precision) {
    const std::size_t floats = area(rows, joined_columns(shape)) +
                               area(rows, shape.heads * shape.head) + area(rows, shape.heads) +
                               area(rows, shape.width);
    return floats * sizeof(float) + area(rows, 2 * shape.feed) * bytes_of(precision);
}

LayerValues LayerValues::in(void* memory, float* x, const Shape& shape, int rows,
                            gemm::Precision precision) {
    auto* at = static_cast<float*>(memory);
    const auto take = [&](int columns) {
        float* from = at;
        at += area(rows, columns);
        return from;
    };
    LayerValues v;
    v.x = x;
    v.qkv = take(joined_columns(shape));
    v.out = take(shape.heads * shape.head);
    v.log_sum = take(shape.heads);
    v.middle = take(shape.width);
    v.gate_up = {at, precision, 2 * shape.feed};
    return v;
}

Work::Work(const BaseModel& model, const PassOptions& options)
    : base(model),
      shape(model.shape()),
      precision(options.precision),
      threads(options.threads),
      kernels(training::kernels()),
      weights(model, options.precision, options.weight_bytes_most, options.threads),
      rope(model.shape()) {}

std::uint64_t scratch_bytes(const Shape& shape, int rows, gemm::Precision precision) {
    const std::uint64_t floats = area(rows, 2 * shape.width + 5 * shape.feed) +
                                 area(rows, shape.heads * shape.head + joined_columns(shape));
    const std::uint64_t factors = area(rows, shape.width + 2 * shape.feed);
    constexpr int kHeadRows = 256;  // of its powers, logits and vectors
    const std::uint64_t head = area(kHeadRows, shape.vocabulary);
    return floats * sizeof(float) + (factors + head) * bytes_of(precision) + (16U << 20);
}

}  // namespace jikji::training
