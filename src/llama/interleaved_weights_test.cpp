#include "llama/interleaved_weights.hpp"

#include <doctest/doctest.h>
#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <ggml.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace jikji::llama {
namespace {

struct Free {
    void operator()(ggml_context* context) const { ggml_free(context); }
    void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
    void operator()(ggml_backend_buffer* buffer) const { ggml_backend_buffer_free(buffer); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<ggml_context> make_context() {
    return Owned<ggml_context>(ggml_init({1 << 20, nullptr, /*no_alloc=*/true}));
}

/// Null if this CPU has none.
ggml_backend_buffer_type_t interleaved_type() {
    register_interleaved_weights();
    auto* device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    const auto list =
        reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
    for (auto* at = list(device); *at != nullptr; ++at) {
        if (std::strcmp(ggml_backend_buft_name(*at), "CPU_INTERLEAVED") == 0) return *at;
    }
    return nullptr;
}

std::vector<float> random_floats(std::int64_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, 1);
    std::vector<float> out(static_cast<std::size_t>(count));
    for (float& value : out) value = normal(generator);
    return out;
}

struct Shape {
    ggml_type type;
    std::int64_t k, n, rows, planes;
};

/// The product as ggml computes it with weights in a buffer of `where`.
std::vector<float> product(const Shape& s, ggml_backend_buffer_type_t where, int threads) {
    const Owned<ggml_context> weights = make_context();
    const Owned<ggml_context> rest = make_context();
    const Owned<ggml_backend> cpu(ggml_backend_cpu_init());
    ggml_backend_cpu_set_n_threads(cpu.get(), threads);

    ggml_tensor* w = ggml_new_tensor_2d(weights.get(), s.type, s.k, s.n);
    const Owned<ggml_backend_buffer> held(
        ggml_backend_alloc_ctx_tensors_from_buft(weights.get(), where));
    std::vector<char> blocks(ggml_nbytes(w));
    ggml_quantize_chunk(s.type, random_floats(s.k * s.n, 1).data(), blocks.data(), 0, s.n, s.k,
                        nullptr);
    ggml_backend_tensor_set(w, blocks.data(), 0, blocks.size());

    ggml_tensor* x = ggml_new_tensor_3d(rest.get(), GGML_TYPE_F32, s.k, s.rows, s.planes);
    ggml_tensor* y = ggml_mul_mat(rest.get(), w, x);
    ggml_cgraph* graph = ggml_new_graph(rest.get());
    ggml_build_forward_expand(graph, y);
    const Owned<ggml_backend_buffer> room(ggml_backend_alloc_ctx_tensors(rest.get(), cpu.get()));
    ggml_backend_tensor_set(x, random_floats(ggml_nelements(x), 2).data(), 0, ggml_nbytes(x));
    REQUIRE(ggml_backend_graph_compute(cpu.get(), graph) == GGML_STATUS_SUCCESS);
    std::vector<float> out(static_cast<std::size_t>(ggml_nelements(y)));
    ggml_backend_tensor_get(y, out.data(), 0, ggml_nbytes(y));
    return out;
}

const Shape kShapes[] = {
    {GGML_TYPE_Q4_1, 576, 192, 1, 1},  {GGML_TYPE_Q4_1, 576, 192, 3, 1},
    {GGML_TYPE_Q4_1, 64, 16, 4, 1},    {GGML_TYPE_Q4_1, 576, 1536, 17, 1},
    {GGML_TYPE_Q8_0, 576, 1024, 1, 1}, {GGML_TYPE_Q8_0, 96, 48, 9, 1},
    {GGML_TYPE_Q4_0, 256, 64, 2, 1},   {GGML_TYPE_Q4_0, 256, 64, 5, 3},
};

}  // namespace

TEST_SUITE_BEGIN("interleaved_weights");

// Goal: whoever computes the product, it is the same one. Both round the inputs to 8 bits; ggml
// keeps a block's scale, and its sum for the minima of Q4_1 (2.2 times about 6), in 16 bits: an
// error of 2^-12 of 13 in each of k / 32 blocks, so 0.0006 sqrt(k), six times that at most.
TEST_CASE("ggml's graphs give the same with weights in either order") {
    const auto where = interleaved_type();
    if (where == nullptr) return;  // this CPU multiplies as ggml does
    for (const Shape& shape : kShapes) {
        for (const int threads : {1, 2, 5}) {
            CAPTURE(std::string(ggml_type_name(shape.type)));
            CAPTURE(shape.k);
            CAPTURE(shape.rows);
            CAPTURE(threads);
            const auto want = product(shape, ggml_backend_cpu_buffer_type(), threads);
            const auto got = product(shape, where, threads);
            REQUIRE(got.size() == want.size());
            double worst = 0;
            for (std::size_t i = 0; i < got.size(); ++i) {
                worst = std::max<double>(worst, std::abs(got[i] - want[i]));
            }
            CHECK(worst <= 0.004 * std::sqrt(static_cast<double>(shape.k)));
        }
    }
}

TEST_SUITE_END();

}  // namespace jikji::llama
