// GFLOP/s of the matrix products in a training step, forward (x · Wᵀ) and backward (dy · W), by
// gemm::product() on one plain copy of W, and forward on kept gemm::Panels: random values.
//
//   jikji_train_products_bench [--threads N] [--model 135m|7b|lora]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "gemm/bf16.hpp"
#include "gemm/products.hpp"

namespace {

using namespace jikji::gemm;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string model = "135m";
    int threads = 2;
};

struct Weight {
    const char* name;
    int n, k;
};

std::vector<float> random_floats(std::size_t count) {
    std::mt19937 random(7);
    std::uniform_real_distribution<float> pick(-1, 1);
    std::vector<float> out(count);
    for (float& x : out) x = pick(random);
    return out;
}

std::vector<Bf16> random_halves(std::size_t count) {
    const auto values = random_floats(std::min<std::size_t>(count, 1u << 20));
    std::vector<Bf16> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = to_bf16(values[i % values.size()]);
    return out;
}

std::size_t area(int rows, int columns) {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

template <class Run>
double gflops(double operations, Run&& run) {
    run();
    double best = 1e9;
    const auto begin = Clock::now();
    for (int i = 0; i < 3 || Clock::now() - begin < std::chrono::milliseconds(150); ++i) {
        const auto start = Clock::now();
        run();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return operations / best / 1e9;
}

double forward(const Weight& w, int tokens, int threads) {
    const auto x = random_halves(area(tokens, w.k));
    const auto rows = random_halves(area(w.n, w.k));
    std::vector<float> y(area(tokens, w.n));
    const Factor a{x.data(), Precision::kBf16, tokens, w.k, w.k, false};
    const Factor b{rows.data(), Precision::kBf16, w.n, w.k, w.k, true};
    return gflops(2.0 * tokens * w.n * w.k, [&] { product(a, b, y.data(), w.n, false, threads); });
}

double backward(const Weight& w, int tokens, int threads) {
    const auto dy = random_halves(area(tokens, w.n));
    const auto rows = random_halves(area(w.n, w.k));
    std::vector<float> dx(area(tokens, w.k));
    const Factor a{dy.data(), Precision::kBf16, tokens, w.n, w.n, false};
    const Factor b{rows.data(), Precision::kBf16, w.n, w.k, w.k, false};
    return gflops(2.0 * tokens * w.n * w.k, [&] { product(a, b, dx.data(), w.k, false, threads); });
}

double panels(const Weight& w, int tokens, int threads) {
    const auto x = random_floats(area(tokens, w.k));
    const Panels kept(random_floats(area(w.n, w.k)), w.n, w.k, best_precision());
    std::vector<float> y(area(tokens, w.n));
    return gflops(2.0 * tokens * w.n * w.k,
                  [&] { multiply(x.data(), tokens, w.k, kept, y.data(), w.n, threads); });
}

void measure(const Weight& w, int tokens, int threads) {
    std::printf("%-8s T=%-5d %5d x %-5d  x·Wᵀ %6.0f  dy·W %6.0f  panels (x in float32) %6.0f\n",
                w.name, tokens, w.n, w.k, forward(w, tokens, threads), backward(w, tokens, threads),
                panels(w, tokens, threads));
    std::fflush(stdout);
}

/// What lies beside a frozen weight of n x k: u = x · Aᵀ, y += u · Bᵀ, and the gradients of both.
void measure_lora(int rank, const Weight& w, int tokens, int threads, Precision precision) {
    const bool bf16 = precision == Precision::kBf16;
    const auto values = random_floats(area(tokens, std::max(w.n, w.k)));
    const auto halves = random_halves(values.size());
    const void* data = bf16 ? static_cast<const void*>(halves.data()) : values.data();
    std::vector<float> out(values.size());
    const auto rate = [&](Factor a, Factor b, int ldc, bool add) {
        const double m = a.transposed ? a.columns : a.rows;
        const double k = a.transposed ? a.rows : a.columns;
        return gflops(2.0 * m * k * ldc, [&] { product(a, b, out.data(), ldc, add, threads); });
    };
    const Factor x{data, precision, tokens, w.k, w.k, false};
    const Factor dy{data, precision, tokens, w.n, w.n, false};
    const Factor u{data, precision, tokens, rank, rank, false};
    const auto turned = [](Factor f) {
        f.transposed = true;
        return f;
    };
    const Factor a{data, precision, rank, w.k, w.k, false};
    const Factor b{data, precision, w.n, rank, rank, false};
    std::printf(
        "%s rank %-3d T=%-5d %5d x %-5d  x·Aᵀ %5.0f  y+=u·Bᵀ %5.0f  dy·B %5.0f  dx+=du·A "
        "%5.0f  dB=dyᵀ·u %5.0f  dA=duᵀ·x %5.0f\n",
        bf16 ? "bf16" : "f32 ", rank, tokens, w.n, w.k, rate(x, turned(a), rank, false),
        rate(u, turned(b), w.n, true), rate(dy, b, rank, false), rate(u, a, w.k, true),
        rate(turned(dy), u, rank, true), rate(turned(u), x, w.k, true));
    std::fflush(stdout);
}

Options parse(int count, char** words) {
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        if (std::strcmp(words[i], "--threads") == 0) options.threads = std::stoi(words[i + 1]);
        if (std::strcmp(words[i], "--model") == 0) options.model = words[i + 1];
    }
    return options;
}

const Weight kSmall[] = {
    {"qkv", 960, 576}, {"o", 576, 576}, {"gate+up", 3072, 576}, {"down", 576, 1536}};
const Weight kLarge[] = {
    {"q, o", 4096, 4096}, {"k+v", 2048, 4096}, {"gate+up", 28672, 4096}, {"down", 4096, 14336}};

}  // namespace

int main(int count, char** words) {
    const Options options = parse(count, words);
    if (options.model == "lora") {
        for (const Precision precision : {Precision::kBf16, Precision::kF32}) {
            for (const int rank : {8, 16, 32})
                measure_lora(rank, {"", 576, 576}, 600, options.threads, precision);
            measure_lora(8, {"", 4096, 4096}, 512, options.threads, precision);
        }
    } else if (options.model == "7b") {
        for (const Weight& w : kLarge) measure(w, 512, options.threads);
    } else {
        for (const int tokens : {600, 1024})
            for (const Weight& w : kSmall) measure(w, tokens, options.threads);
        measure({"head", 49152, 576}, 256, options.threads);
    }
}
