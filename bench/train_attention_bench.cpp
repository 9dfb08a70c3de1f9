// Attention of a training step alone: milliseconds a layer, forward and backward, and GFLOP/s of
// the products that a causal pass needs (4 per value forward, 10 backward; half of the square).
// Fixed seed; three runs to warm up; the median of the runs. Arguments: threads, runs, how many
// kernels (1: the fastest).
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <vector>

#include "training/attention_tiles.hpp"

namespace {

using namespace jikji::training;
using jikji::gemm::Precision;

struct Load {
    const char* name;
    int heads;
    int kv_heads;
    int head;
    std::vector<int> samples;
};

const std::vector<Load> kLoads = {
    {"SmolLM2, 1 x 1024", 9, 3, 64, {1024}},
    {"SmolLM2, 8 x 128", 9, 3, 64, std::vector<int>(8, 128)},
    {"SmolLM2, 5 uneven", 9, 3, 64, {50, 500, 97, 210, 143}},
    {"Mistral, 1 x 1024", 32, 8, 128, {1024}},
    {"Mistral, 8 x 128", 32, 8, 128, std::vector<int>(8, 128)},
};

constexpr int kWarm = 3;

double median_ms(int runs, const auto& run) {
    std::vector<double> times;
    for (int i = 0; i < runs + kWarm; ++i) {
        const auto began = std::chrono::steady_clock::now();
        run();
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - began;
        if (i >= kWarm) times.push_back(took.count());
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
}

void measure(const Load& load, Precision precision, const AttentionSteps* steps, int threads,
             int runs) {
    std::vector<int> starts;
    int tokens = 0;
    double pairs = 0;
    for (const int length : load.samples) {
        starts.push_back(tokens);
        tokens += length;
        pairs += 0.5 * length * (length + 1);
    }
    const int width = load.heads * load.head;
    const int kv = load.kv_heads * load.head;
    const int row = width + 2 * kv;
    const auto size = static_cast<std::size_t>(tokens);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> qkv(size * row), d_out(size * width);
    for (float& x : qkv) x = normal(random);
    for (float& x : d_out) x = normal(random);
    std::vector<float> out(d_out.size()), d_qkv(qkv.size()), log_sum(size * load.heads);
    const AttentionCall call{{load.heads, load.kv_heads, load.head, 0, starts, tokens},
                             precision,
                             steps,
                             qkv.data(),
                             row,
                             qkv.data() + width,
                             qkv.data() + width + kv,
                             row,
                             out.data(),
                             log_sum.data(),
                             threads,
                             d_out.data(),
                             d_qkv.data(),
                             d_qkv.data() + width,
                             d_qkv.data() + width + kv};
    const double forward = median_ms(runs, [&] { run_forward(call); });
    const double backward = median_ms(runs, [&] { run_backward(call); });
    const double flops = pairs * width * 1e-6;  // of 1e9 a second, in 1e-3 s
    fmt::print("{:<20} {:<4} {:<9} {:>7.2f} {:>5.0f}   {:>7.2f} {:>5.0f}\n", load.name,
               precision == Precision::kF32 ? "f32" : "bf16", steps->name, forward,
               4 * flops / forward, backward, 10 * flops / backward);
}

}  // namespace

int main(int argc, char** argv) {
    const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
    const int runs = argc > 2 ? std::atoi(argv[2]) : 9;
    const std::size_t kernels = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1;
    fmt::print("{} threads; ms and GFLOP/s: forward, backward\n", threads);
    for (const Precision precision : {Precision::kBf16, Precision::kF32}) {
        const auto steps = attention_steps(precision);
        for (const Load& load : kLoads) {
            for (std::size_t i = 0; i < std::min(kernels, steps.size()); ++i) {
                measure(load, precision, steps[i], threads, runs);
            }
        }
    }
    return 0;
}
