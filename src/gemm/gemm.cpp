#include "gemm/gemm.hpp"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <vector>

#include "base/cpu.hpp"
#include "base/error.hpp"
#include "gemm/bf16.hpp"
#include "gemm/int8.hpp"
#include "gemm/panels.hpp"

namespace jikji::gemm {
namespace {

using Desc = dnnl::memory::desc;

/// oneDNN plans for as many threads as OpenMP would give the caller.
class Team {
public:
    explicit Team(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
    ~Team() { omp_set_num_threads(before_); }
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

private:
    int before_;
};

struct Shape {
    int m, n, k, threads;
    Precision precision;
    auto operator<=>(const Shape&) const = default;
};

/// To make a primitive takes 0.2 ms (8 the first time), a hundred times what a small product does.
/// The process's, as oneDNN's own cache is: a primitive holds code, no data.
class Primitives {
public:
    dnnl::matmul get(const Shape& shape, const Desc& weights) {
        const std::lock_guard lock(mutex_);
        if (const auto found = made_.find(shape); found != made_.end()) return found->second;
        if (made_.size() >= kMost) made_.clear();  // the shapes of a model come back at once
        const auto type = data_type(shape.precision);
        const Desc x({shape.m, shape.k}, type, dnnl::memory::dims{shape.k, 1});
        const Desc y({shape.m, shape.n}, dnnl::memory::data_type::f32,
                     dnnl::memory::dims{shape.n, 1});
        dnnl::matmul product(dnnl::matmul::primitive_desc({x, weights, y}, cpu_engine()));
        made_.emplace(shape, product);
        return product;
    }

private:
    static constexpr std::size_t kMost = 4096;  // about 20 KB each
    std::mutex mutex_;
    std::map<Shape, dnnl::matmul> made_;
};

Primitives& primitives() {
    static Primitives all;
    return all;
}

/// Without gaps between rows: oneDNN 2.6.3 has its fast kernels only for those, and takes a plain
/// loop, a thousand times slower, for others.
void run(const void* x, int m, const Panels::Data& w, float* y, int threads) {
    // oneDNN shares the work out before it knows how many come: with fewer, parts stay undone.
    threads = std::min(threads, omp_get_thread_limit());
    const Team team(threads);
    const dnnl::matmul product =
        primitives().get({m, w.n, w.k, threads, w.precision}, w.layout.desc);
    const Desc from({m, w.k}, data_type(w.precision), dnnl::memory::dims{w.k, 1});
    const Desc to({m, w.n}, dnnl::memory::data_type::f32, dnnl::memory::dims{w.n, 1});
    dnnl::stream stream(cpu_engine());
    product.execute(stream, {{DNNL_ARG_SRC, dnnl::memory(from, cpu_engine(), const_cast<void*>(x))},
                             {DNNL_ARG_WEIGHTS, w.memory},
                             {DNNL_ARG_DST, dnnl::memory(to, cpu_engine(), y)}});
    stream.wait();
}

void copy_rows(const float* from, int ld_from, float* to, int ld_to, int rows, int columns) {
    for (int row = 0; row < rows; ++row)
        std::copy_n(from + static_cast<std::ptrdiff_t>(row) * ld_from, columns,
                    to + static_cast<std::ptrdiff_t>(row) * ld_to);
}

float* at_least(std::vector<float>& buffer, int rows, int columns) {
    const auto size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    if (buffer.size() < size) buffer.resize(size);
    return buffer.data();
}

void run_strided(const void* x, int m, const Panels::Data& w, float* y, int ldy, int threads) {
    if (ldy == w.n) return run(x, m, w, y, threads);
    thread_local std::vector<float> buffer;
    float* dense = at_least(buffer, m, w.n);
    run(x, m, w, dense, threads);
    copy_rows(dense, w.n, y, ldy, m, w.n);
}

/// x in bf16, without gaps; the buffer belongs to the calling thread and is valid until its next
/// product.
const Bf16* rounded(const float* x, int m, int k, int ldx, int threads) {
    thread_local std::vector<Bf16> buffer;
    const auto row_size = static_cast<std::size_t>(k);
    if (buffer.size() < static_cast<std::size_t>(m) * row_size)
        buffer.resize(static_cast<std::size_t>(m) * row_size);
    Bf16* to = buffer.data();
    const int team = static_cast<std::int64_t>(m) * k < 32768 ? 1 : threads;
#pragma omp parallel for num_threads(team) schedule(static) if (team > 1)
    for (int row = 0; row < m; ++row)
        to_bf16(x + static_cast<std::ptrdiff_t>(row) * ldx,
                to + static_cast<std::size_t>(row) * row_size, row_size);
    return to;
}

/// x as a primitive reads it; valid until the thread's next product.
const void* prepared(const float* x, int m, int k, int ldx, Precision precision, int threads) {
    if (precision == Precision::kBf16) return rounded(x, m, k, ldx, threads);
    if (ldx == k) return x;
    thread_local std::vector<float> buffer;
    float* dense = at_least(buffer, m, k);
    copy_rows(x, ldx, dense, k, m, k);
    return dense;
}

/// Rows of weights whose panels stay in the last cache while they are used.
int slab_rows(int k, Precision precision) {
    constexpr std::size_t kBytes = 4u << 20;
    const std::size_t row = static_cast<std::size_t>(k) * (precision == Precision::kBf16 ? 2 : 4);
    return static_cast<int>(std::max<std::size_t>(kBytes / row / 64 * 64, 64));
}

}  // namespace

Precision best_precision() { return cpu::has_avx512_bf16() ? Precision::kBf16 : Precision::kF32; }

Precision best_precision_of_quantised(int block, int k) {
    if (!has_int8() || k % block_of(Precision::kInt8) != 0) return best_precision();
    const int wide = block_of(Precision::kInt8Wide);
    return block % wide == 0 && k % wide == 0 ? Precision::kInt8Wide : Precision::kInt8;
}

void multiply(const float* x, int m, int ldx, const Panels& w, float* y, int ldy, int threads) {
    JIKJI_CHECK(m > 0 && ldx >= w.k() && ldy >= w.n() && threads > 0);
    const Panels::Data& data = w.data();
    if (const int block = block_of(data.precision))
        return multiply_int8(x, m, ldx, data.bytes.get(), data.n, data.k, block, y, ldy, threads);
    run_strided(prepared(x, m, data.k, ldx, data.precision, threads), m, data, y, ldy, threads);
}

void multiply(const float* x, int m, int ldx, const Source& w, int n, int k, Precision precision,
              float* y, int ldy, int threads) {
    JIKJI_CHECK(m > 0 && ldx >= k && ldy >= n && threads > 0);
    if (const int block = block_of(precision))
        return multiply_int8(x, m, ldx, w, n, k, block, y, ldy, threads);
    const void* from = prepared(x, m, k, ldx, precision, threads);
    const int most = std::min(n, slab_rows(k, precision));
    // Kept from call to call: the memory of a slab is worth more than its few megabytes.
    thread_local std::unique_ptr<Panels::Data> slab;
    for (int first = 0; first < n; first += most) {
        const int rows = std::min(most, n - first);
        if (!slab || slab->n != rows || slab->k != k || slab->precision != precision)
            slab = make_data(rows, k, precision);
        fill(
            *slab,
            [&w, first](int row, int count, int column, int columns, float* out, int stride) {
                w(first + row, count, column, columns, out, stride);
            },
            threads);
        run_strided(from, m, *slab, y + first, ldy, threads);
    }
}

void multiply_exactly(const float* x, int m, int ldx, const float* w, int n, int k, float* y,
                      int ldy) {
    for (int row = 0; row < m; ++row) {
        for (int column = 0; column < n; ++column) {
            double sum = 0;
            const float* a = x + static_cast<std::ptrdiff_t>(row) * ldx;
            const float* b = w + static_cast<std::ptrdiff_t>(column) * k;
            for (int i = 0; i < k; ++i) sum += static_cast<double>(a[i]) * b[i];
            y[static_cast<std::ptrdiff_t>(row) * ldy + column] = static_cast<float>(sum);
        }
    }
}

}  // namespace jikji::gemm
