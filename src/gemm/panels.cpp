#include "gemm/panels.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/cpu.hpp"
#include "gemm/bf16.hpp"
#include "gemm/tile.hpp"

namespace jikji::gemm {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

namespace {

dnnl::cpu_isa most_of_onednn() {
    switch (cpu::level()) {
        case cpu::Level::kPortable: return dnnl::cpu_isa::sse41;
        case cpu::Level::kAvx2: return dnnl::cpu_isa::avx2;
        case cpu::Level::kAvx512: return dnnl::cpu_isa::avx512_core;
        case cpu::Level::kAvx512Bf16: return dnnl::cpu_isa::avx512_core_bf16;
        case cpu::Level::kAll: break;
    }
    return dnnl::cpu_isa::all;
}

}  // namespace

// One engine for the process: it is a handle without state of its own.
const dnnl::engine& cpu_engine() {
    static const dnnl::engine engine = [] {
        dnnl::set_max_cpu_isa(most_of_onednn());  // counts until the first primitive is made
        return dnnl::engine(dnnl::engine::kind::cpu, 0);
    }();
    return engine;
}

dnnl::memory::data_type data_type(Precision precision) {
    return precision == Precision::kBf16 ? dnnl::memory::data_type::bf16
                                         : dnnl::memory::data_type::f32;
}

namespace {

/// The layout that oneDNN likes best for a product of many rows. Every other number of rows is
/// then asked to take it as well; in 2.6.3 that is what it would have chosen anyway.
Layout layout_of(int n, int k, Precision precision) {
    constexpr int kRows = 64;
    const auto type = data_type(precision);
    const Desc x({kRows, k}, type, dnnl::memory::dims{k, 1});
    const Desc y({kRows, n}, dnnl::memory::data_type::f32, dnnl::memory::dims{n, 1});
    const dnnl::matmul::primitive_desc product({x, Desc({k, n}, type, Tag::any), y}, cpu_engine());
    Layout layout{product.weights_desc()};
    layout.tiled =
        precision == Precision::kBf16 && layout.desc == Desc({k, n}, type, Tag::BA16a64b2a);
    return layout;
}

int padded_depth(int k) { return (k + kTileDepth - 1) / kTileDepth * kTileDepth; }

/// Rows 16 * group… of a tiled matrix, chunk by chunk through a buffer that fits the first cache.
void fill_group(Panels::Data& data, const Source& source, int group, float* buffer) {
    const int depth = padded_depth(data.k);
    const int row = group * 16;
    const int rows = std::clamp(data.n - row, 0, 16);
    Bf16* to = static_cast<Bf16*>(data.memory.get_data_handle()) +
               static_cast<std::ptrdiff_t>(row / kTileRows) * kTileRows * depth +
               row % kTileRows * 2;
    for (int column = 0; column < depth; column += kChunk) {
        const int columns = std::min(kChunk, data.k - column);
        const int padded = std::min(kChunk, depth - column);
        if (rows < 16 || columns < padded) std::fill_n(buffer, 16 * kChunk, 0.0f);
        if (rows > 0) source(row, rows, column, columns, buffer, kChunk);
        tile_rows(buffer, kChunk, padded, to + static_cast<std::ptrdiff_t>(column) * kTileRows);
    }
}

void fill_tiled(Panels::Data& data, const Source& source, int threads) {
    const int groups = (data.n + kTileRows - 1) / kTileRows * (kTileRows / 16);
#pragma omp parallel num_threads(threads)
    {
        alignas(64) float buffer[16 * kChunk];
#pragma omp for schedule(static)
        for (int group = 0; group < groups; ++group) fill_group(data, source, group, buffer);
    }
}

/// Any other layout: the rows as they are, then oneDNN's own reordering.
void fill_generally(Panels::Data& data, const Source& source, int threads) {
    const auto k = static_cast<std::size_t>(data.k);
    std::vector<float> rows(static_cast<std::size_t>(data.n) * k);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int row = 0; row < data.n; ++row)
        source(row, 1, 0, data.k, rows.data() + static_cast<std::size_t>(row) * k, data.k);
    dnnl::memory plain({{data.k, data.n}, dnnl::memory::data_type::f32, Tag::ba}, cpu_engine(),
                       rows.data());
    dnnl::stream stream(cpu_engine());
    dnnl::reorder(plain, data.memory).execute(stream, plain, data.memory);
    stream.wait();
}

}  // namespace

std::unique_ptr<Panels::Data> make_data(int n, int k, Precision precision) {
    auto data = std::make_unique<Panels::Data>();
    data->n = n;
    data->k = k;
    data->precision = precision;
    if (const int block = block_of(precision)) {
        data->bytes = make_bytes(int8_bytes(n, k, block));
        return data;
    }
    data->layout = layout_of(n, k, precision);
    data->memory = dnnl::memory(data->layout.desc, cpu_engine());
    return data;
}

void fill(Panels::Data& data, const Source& source, int threads) {
    if (const int block = block_of(data.precision)) {
        fill_int8(source, data.n, data.k, block, data.bytes.get(), threads);
    } else if (data.layout.tiled) {
        fill_tiled(data, source, threads);
    } else {
        fill_generally(data, source, threads);
    }
}

Panels::Panels(const Source& source, int n, int k, Precision precision, int threads)
    : data_(make_data(n, k, precision)) {
    fill(*data_, source, threads);
}

Panels::Panels(std::span<const float> rows, int n, int k, Precision precision)
    : Panels(
          [rows, k](int row, int count, int column, int columns, float* out, int stride) {
              for (int i = 0; i < count; ++i) {
                  const auto at = static_cast<std::size_t>(row + i) * static_cast<std::size_t>(k) +
                                  static_cast<std::size_t>(column);
                  std::memcpy(out + static_cast<std::ptrdiff_t>(i) * stride, rows.data() + at,
                              static_cast<std::size_t>(columns) * sizeof(float));
              }
          },
          n, k, precision, 1) {}

Panels::~Panels() = default;
Panels::Panels(Panels&&) noexcept = default;
Panels& Panels::operator=(Panels&&) noexcept = default;

int Panels::n() const noexcept { return data_->n; }
int Panels::k() const noexcept { return data_->k; }
std::size_t Panels::bytes() const noexcept {
    const int block = block_of(data_->precision);
    return block > 0 ? int8_bytes(data_->n, data_->k, block) : data_->layout.desc.get_size();
}

std::size_t Panels::bytes_of(int n, int k, Precision precision) {
    if (const int block = block_of(precision)) return int8_bytes(n, k, block);
    const auto rows = static_cast<std::size_t>((n + kTileRows - 1) / kTileRows * kTileRows);
    return rows * static_cast<std::size_t>(padded_depth(k)) *
           (precision == Precision::kBf16 ? 2 : 4);
}

}  // namespace jikji::gemm
