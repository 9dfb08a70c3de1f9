#include "gemm/products.hpp"

#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "base/error.hpp"
#include "gemm/bf16.hpp"
#include "gemm/features.hpp"
#include "gemm/panels.hpp"

namespace jikji::gemm {
namespace {

using Desc = dnnl::memory::desc;

Desc desc_of(const Factor& f) {
    if (f.transposed)
        return Desc({f.columns, f.rows}, data_type(f.precision), dnnl::memory::dims{1, f.stride});
    return Desc({f.rows, f.columns}, data_type(f.precision), dnnl::memory::dims{f.stride, 1});
}

int rows_of(const Factor& f) { return f.transposed ? f.columns : f.rows; }
int columns_of(const Factor& f) { return f.transposed ? f.rows : f.columns; }

using Shape = std::tuple<int, int, int, std::ptrdiff_t, std::ptrdiff_t, int, bool, bool, bool,
                         Precision, int>;

class Primitives {
public:
    dnnl::matmul get(const Shape& shape, const Desc& a, const Desc& b, const Desc& c, bool add) {
        const std::lock_guard lock(mutex_);
        if (const auto found = made_.find(shape); found != made_.end()) return found->second;
        if (made_.size() >= kMost) made_.clear();
        dnnl::primitive_attr attributes;
        if (add) {
            dnnl::post_ops after;
            after.append_sum(1.0f);
            attributes.set_post_ops(after);
        }
        dnnl::matmul made(dnnl::matmul::primitive_desc({a, b, c}, attributes, cpu()));
        made_.emplace(shape, made);
        return made;
    }

private:
    static constexpr std::size_t kMost = 1024;
    std::mutex mutex_;
    std::map<Shape, dnnl::matmul> made_;
};

Primitives& primitives() {
    static Primitives all;
    return all;
}

/// A factor in float32, for CPUs without products of bfloat16; the buffer is `to`.
Factor widened(const Factor& f, std::vector<float>& to) {
    to.resize(static_cast<std::size_t>(f.rows) * static_cast<std::size_t>(f.columns));
    const auto* from = static_cast<const Bf16*>(f.data);
    for (int row = 0; row < f.rows; ++row)
        for (int column = 0; column < f.columns; ++column)
            to[static_cast<std::size_t>(row) * static_cast<std::size_t>(f.columns) +
               static_cast<std::size_t>(column)] = from_bf16(from[row * f.stride + column]);
    return {to.data(), Precision::kF32, f.rows, f.columns, f.columns, f.transposed};
}

}  // namespace

void product(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads) {
    JIKJI_CHECK(a.precision == b.precision && columns_of(a) == rows_of(b) && threads > 0);
    JIKJI_CHECK(ldc >= columns_of(b) && a.stride >= a.columns && b.stride >= b.columns);
    if (a.precision == Precision::kBf16 && !has_avx512_bf16()) {
        std::vector<float> wide_a;
        std::vector<float> wide_b;
        return product(widened(a, wide_a), widened(b, wide_b), c, ldc, add, threads);
    }
    threads = std::min(threads, omp_get_thread_limit());
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const int m = rows_of(a);
    const int n = columns_of(b);
    const Desc from_a = desc_of(a);
    const Desc from_b = desc_of(b);
    const Desc to({m, n}, dnnl::memory::data_type::f32, dnnl::memory::dims{ldc, 1});
    const Shape shape{m,        n,           columns_of(a), a.stride,
                      b.stride, ldc,         a.transposed,  b.transposed,
                      add,      a.precision, threads};
    dnnl::stream stream(cpu());
    primitives()
        .get(shape, from_a, from_b, to, add)
        .execute(stream,
                 {{DNNL_ARG_SRC, dnnl::memory(from_a, cpu(), const_cast<void*>(a.data))},
                  {DNNL_ARG_WEIGHTS, dnnl::memory(from_b, cpu(), const_cast<void*>(b.data))},
                  {DNNL_ARG_DST, dnnl::memory(to, cpu(), c)}});
    stream.wait();
    omp_set_num_threads(before);
}

}  // namespace jikji::gemm
