// What this machine can do at best: bytes read and numbers multiplied per second, as one line of
// JSON. Usage: jikji_machine_probe THREADS
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <vector>

#include "gemm/gemm.hpp"

namespace {

using namespace jikji;

/// Seconds of the fastest of seven runs: the limit is asked for, not the usual.
double fastest(const std::function<void()>& work) {
    double best = 1e9;
    for (int run = 0; run < 7; ++run) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        best = std::min(best, took.count());
    }
    return best;
}

/// GB/s of reading `bytes` with all threads, each its own part.
double read_rate(std::size_t bytes, int threads) {
    const std::vector<std::uint64_t> data(bytes / sizeof(std::uint64_t), 1);
    const auto part = data.size() / static_cast<std::size_t>(threads);
    std::uint64_t sink = 0;
    const double seconds = fastest([&] {
        std::uint64_t sum = 0;
#pragma omp parallel num_threads(threads) reduction(+ : sum)
        {
            const auto* from = data.data() + part * static_cast<std::size_t>(omp_get_thread_num());
            sum = std::accumulate(from, from + part, std::uint64_t{0});
        }
        sink += sum;
    });
    return sink == 0 ? 0 : static_cast<double>(bytes) / seconds / 1e9;
}

/// GFLOP/s of a large product.
double product_rate(gemm::Precision precision, int threads) {
    constexpr int kM = 512;
    constexpr int kN = 4096;
    constexpr int kK = 4096;
    const std::vector<float> weights(static_cast<std::size_t>(kN) * kK, 0.5F);
    const std::vector<float> x(static_cast<std::size_t>(kM) * kK, 0.25F);
    std::vector<float> y(static_cast<std::size_t>(kM) * kN);
    const gemm::Panels panels(weights, kN, kK, precision);
    const double seconds =
        fastest([&] { gemm::multiply(x.data(), kM, kK, panels, y.data(), kN, threads); });
    return 2.0 * kM * kN * kK / seconds / 1e9;
}

}  // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
    const gemm::Precision best = gemm::best_precision();
    std::printf(
        "{\"read_small_gbs\": %.2f, \"read_large_gbs\": %.2f, \"precision\": \"%s\", "
        "\"gflops\": %.1f, \"gflops_f32\": %.1f}\n",
        read_rate(96u << 20, threads), read_rate(1u << 30, threads),
        best == gemm::Precision::kBf16 ? "bf16" : "f32", product_rate(best, threads),
        product_rate(gemm::Precision::kF32, threads));
    return 0;
}
