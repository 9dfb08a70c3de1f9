#include "training/weights.hpp"

#include <algorithm>

namespace jikji::training {
namespace {

constexpr std::size_t kSlabBytes = std::size_t{16} << 20;  // some of it stays in the last cache
constexpr int kSlabRows = 64;                              // a slab has a multiple of these

std::uint64_t module_bytes(const Shape& shape, Module module, gemm::Precision precision) {
    return static_cast<std::uint64_t>(shape.n_in(module)) *
           static_cast<std::uint64_t>(shape.n_out(module)) * training::bytes_of(precision);
}

std::vector<FrozenMatrix> parts_of(const BaseLayer& layer, Joined which) {
    const auto part = [&](Module m) { return layer.linear[static_cast<std::size_t>(m)]; };
    switch (which) {
        case Joined::kQkv: return {part(Module::kQ), part(Module::kK), part(Module::kV)};
        case Joined::kOut: return {part(Module::kO)};
        case Joined::kGateUp: return {part(Module::kGate), part(Module::kUp)};
        default: return {part(Module::kDown)};
    }
}

}  // namespace

Weights::Weights(const BaseModel& base, gemm::Precision precision, std::uint64_t bytes_most,
                 int threads)
    : precision_(precision),
      threads_(threads),
      layers_(static_cast<std::size_t>(base.shape().layers) * kJoined) {
    const auto set = [](Matrix& matrix, std::vector<FrozenMatrix> parts) {
        matrix.columns = parts.front().columns();
        for (const FrozenMatrix& part : parts) matrix.rows += part.rows();
        matrix.parts = std::move(parts);
    };
    set(head_, {base.head()});
    keep(head_, bytes_most);
    for (int layer = 0; layer < base.shape().layers; ++layer) {
        for (int j = 0; j < kJoined; ++j) {
            Matrix& joined = matrix(layer, static_cast<Joined>(j));
            set(joined, parts_of(base.layer(layer), static_cast<Joined>(j)));
            keep(joined, bytes_most);
        }
    }
    // What is kept is not needed twice: its blocks would count as ours until somebody else
    // presses for memory.
    if (bytes_kept_ == bytes_of_all(base.shape(), precision)) base.let_go();
}

std::uint64_t Weights::bytes_of_all(const Shape& shape, gemm::Precision precision) {
    std::uint64_t layer = 0;
    for (int m = 0; m < kModules; ++m)
        layer += module_bytes(shape, static_cast<Module>(m), precision);
    const std::uint64_t head = static_cast<std::uint64_t>(shape.vocabulary) *
                               static_cast<std::uint64_t>(shape.width) *
                               training::bytes_of(precision);
    return head + layer * static_cast<std::uint64_t>(shape.layers);
}

void Weights::keep(Matrix& matrix, std::uint64_t bytes_most) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(matrix.rows) *
                                static_cast<std::uint64_t>(matrix.columns) *
                                training::bytes_of(precision_);
    if (bytes_kept_ + bytes > bytes_most) return;
    read(matrix, 0, matrix.rows, matrix.memory.view(precision_, matrix.rows, matrix.columns));
    matrix.kept = true;
    bytes_kept_ += bytes;
}

void Weights::read(const Matrix& from, int first, int count, const Factors& to) const {
    // Few rows at a time, so that they are still in the cache when they are rounded.
    const int step = std::max(1, 8192 / from.columns);
    const int steps = (count + step - 1) / step;
#pragma omp parallel num_threads(threads_)
    {
        std::vector<float> floats(static_cast<std::size_t>(step) *
                                  static_cast<std::size_t>(from.columns));
#pragma omp for schedule(static)
        for (int s = 0; s < steps; ++s) {
            for (int row = s * step; row < std::min(count, (s + 1) * step);) {
                int inside = first + row;
                auto part = from.parts.begin();
                while (inside >= part->rows()) inside -= (part++)->rows();
                const int rows =
                    std::min({(s + 1) * step - row, count - row, part->rows() - inside});
                part->read(inside, rows, floats.data());
                to.put(row, 0, floats.data(), rows * from.columns);
                row += rows;
            }
        }
    }
}

Factors Weights::kept_rows(Matrix& matrix, int first) const {
    Factors all = matrix.memory.view(precision_, matrix.rows, matrix.columns);
    all.data = all.at(first);
    return all;
}

void Weights::visit(Matrix& matrix, const Visit& visit) {
    if (matrix.kept) return visit(0, matrix.rows, kept_rows(matrix, 0));
    const std::size_t row =
        static_cast<std::size_t>(matrix.columns) * training::bytes_of(precision_);
    const int most = std::max(static_cast<int>(kSlabBytes / row) / kSlabRows, 1) * kSlabRows;
    for (int first = 0; first < matrix.rows; first += most) {
        const int count = std::min(most, matrix.rows - first);
        const Factors slab = slab_.view(precision_, count, matrix.columns);
        read(matrix, first, count, slab);
        visit(first, count, slab);
    }
}

void Weights::forward(int layer, Joined which, const Factors& x, int m, float* y) {
    Matrix& w = matrix(layer, which);
    visit(w, [&](int first, int count, const Factors& rows) {
        gemm::product(x.factor(m), rows.factor(count, true), y + first, w.rows, false, threads_);
    });
}

void Weights::backward(int layer, Joined which, const Factors& dy, int m, float* dx) {
    Matrix& w = matrix(layer, which);
    visit(w, [&](int first, int count, const Factors& rows) {
        const gemm::Factor part{dy.at(0, first), dy.precision, m, count, dy.columns};
        gemm::product(part, rows.factor(count), dx, w.columns, first > 0, threads_);
    });
}

Factors Weights::head_rows(int first, int count) {
    if (head_.kept) return kept_rows(head_, first);
    const Factors slab = slab_.view(precision_, count, head_.columns);
    read(head_, first, count, slab);
    return slab;
}

}  // namespace jikji::training
