#include <omp.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>
#include <vector>

#include "gemm/bf16.hpp"
#include "gemm/panels.hpp"
#include "gemm/products_ways.hpp"

namespace jikji::gemm {
namespace {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

Desc desc_of(const Factor& f) {
    const auto type = data_type(f.precision);
    if (f.transposed) return Desc({f.columns, f.rows}, type, Dims{1, f.stride});
    return Desc({f.rows, f.columns}, type, Dims{f.stride, 1});
}

struct Plan {
    Desc a, b, c;
    bool add;
};

using Key = std::tuple<Dims, Dims, Dims, Dims, int, Precision, bool, int>;

/// As in gemm.cpp: code without data, for the process.
class Primitives {
public:
    dnnl::matmul get(const Key& key, const Plan& plan) {
        const std::lock_guard lock(mutex_);
        if (const auto found = made_.find(key); found != made_.end()) return found->second;
        if (made_.size() >= kMost) made_.clear();
        dnnl::primitive_attr attributes;
        if (plan.add) {
            dnnl::post_ops after;
            after.append_sum(1.0f);
            attributes.set_post_ops(after);
        }
        dnnl::matmul made(
            dnnl::matmul::primitive_desc({plan.a, plan.b, plan.c}, attributes, cpu_engine()));
        made_.emplace(key, made);
        return made;
    }

private:
    static constexpr std::size_t kMost = 1024;
    std::mutex mutex_;
    std::map<Key, dnnl::matmul> made_;
};

Primitives& primitives() {
    static Primitives all;
    return all;
}

Factor widened(const Factor& f, std::vector<float>& to) {
    const auto columns = static_cast<std::size_t>(f.columns);
    to.resize(static_cast<std::size_t>(f.rows) * columns);
    const auto* from = static_cast<const Bf16*>(f.data);
    for (int row = 0; row < f.rows; ++row)
        std::transform(from + row * f.stride, from + row * f.stride + f.columns,
                       to.begin() + row * static_cast<std::ptrdiff_t>(f.columns),
                       [](Bf16 x) { return from_bf16(x); });
    return {to.data(), Precision::kF32, f.rows, f.columns, f.columns, f.transposed};
}

}  // namespace

void product_by_onednn(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads) {
    if (a.precision == Precision::kBf16 && best_precision() != Precision::kBf16) {
        std::vector<float> wide_a;
        std::vector<float> wide_b;
        return product_by_onednn(widened(a, wide_a), widened(b, wide_b), c, ldc, add, threads);
    }
    // oneDNN plans for as many threads as OpenMP would give, and does not ask how many came.
    threads = std::min(threads, omp_get_thread_limit());
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    const int m = a.transposed ? a.columns : a.rows;
    const int n = b.transposed ? b.rows : b.columns;
    const Plan plan{desc_of(a), desc_of(b),
                    Desc({m, n}, dnnl::memory::data_type::f32, Dims{ldc, 1}), add};
    const Key key{plan.a.dims(), {a.transposed, a.stride},
                  plan.b.dims(), {b.transposed, b.stride},
                  ldc,           a.precision,
                  add,           threads};
    dnnl::stream stream(cpu_engine());
    primitives().get(key, plan).execute(
        stream, {{DNNL_ARG_SRC, dnnl::memory(plan.a, cpu_engine(), const_cast<void*>(a.data))},
                 {DNNL_ARG_WEIGHTS, dnnl::memory(plan.b, cpu_engine(), const_cast<void*>(b.data))},
                 {DNNL_ARG_DST, dnnl::memory(plan.c, cpu_engine(), c)}});
    stream.wait();
    omp_set_num_threads(before);
}

}  // namespace jikji::gemm
