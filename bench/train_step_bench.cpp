// Tokens per second of training::Pass itself: forward and backward of one pack of random tokens,
// with the share of the CPU's peak (the rate of one large product, measured in the same run), and
// the memory that the process took at most. No data, no tokeniser, no optimiser.
//
//   jikji_train_step_bench MODEL.gguf [--threads N] [--tokens T] [--length L] [--rank R]
//     [--targets q_proj,v_proj] [--learnt SHARE] [--weights GB] [--activations GB] [--seconds S]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "gemm/bf16.hpp"
#include "gemm/products.hpp"
#include "training/pass.hpp"

namespace {

using namespace jikji;
using Clock = std::chrono::steady_clock;
using Words = std::map<std::string, std::string>;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class Run>
double best_seconds(double most, Run&& run) {
    double best = 1e9;
    const auto begin = Clock::now();
    do {
        const auto start = Clock::now();
        run();
        best = std::min(best, seconds_since(start));
    } while (seconds_since(begin) < most);
    return best;
}

double peak_gflops(int threads) {
    constexpr int kSize = 1024;
    const std::vector<gemm::Bf16> values(kSize * kSize, gemm::to_bf16(0.5F));
    std::vector<float> out(kSize * kSize);
    const gemm::Factor f{values.data(), gemm::Precision::kBf16, kSize, kSize, kSize};
    const double seconds =
        best_seconds(0.3, [&] { gemm::product(f, f, out.data(), kSize, false, threads); });
    return 2.0 * kSize * kSize * kSize / seconds / 1e9;
}

/// Samples of `length` tokens; the last `learnt` of each is learnt.
training::Pack random_pack(int tokens, int length, double learnt, int vocabulary) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> pick(0, vocabulary - 1);
    training::Pack pack;
    for (int i = 0; i < tokens; ++i) {
        const int place = i % length;
        if (place == 0) {
            pack.samples.push_back(pack.starts.size());
            pack.starts.push_back(i);
        }
        pack.tokens.push_back(pick(random));
        pack.learnt.push_back(place > 0 && place >= (1 - learnt) * length ? 1 : 0);
    }
    return pack;
}

training::LoraOptions lora_options(const Words& words) {
    training::LoraOptions options;
    options.rank = std::stoi(words.at("--rank"));
    options.targets.clear();
    std::stringstream names(words.at("--targets"));
    for (std::string name; std::getline(names, name, ',');)
        options.targets.push_back(training::module_named(name));
    std::sort(options.targets.begin(), options.targets.end());
    return options;
}

std::uint64_t bytes(const std::string& gigabytes) {
    return static_cast<std::uint64_t>(std::stod(gigabytes) * 1e9);
}

void print_rate(const char* what, double seconds, int tokens, double flops, double peak) {
    const double rate = flops * tokens / seconds / 1e9;
    std::printf("%-9s %8.1f ms  %8.1f tokens/s  %6.0f GFLOP/s, %2.0f %% of the peak\n", what,
                seconds * 1e3, tokens / seconds, rate, 100 * rate / peak);
    std::fflush(stdout);
}

void measure(const std::string& model, const Words& words) {
    const int threads = std::stoi(words.at("--threads"));
    const int tokens = std::stoi(words.at("--tokens"));
    const int length = std::stoi(words.at("--length"));
    const double seconds = std::stod(words.at("--seconds"));
    const auto start = Clock::now();
    const training::BaseModel base(model);
    const auto options = lora_options(words);
    training::Lora lora(base.shape(), options);
    lora.initialise(1);
    training::Pass pass(base, {.threads = threads,
                               .weight_bytes_most = bytes(words.at("--weights")),
                               .activation_bytes_most = bytes(words.at("--activations"))});
    std::printf("ready in %.2f s, %.0f MB of weights kept\n", seconds_since(start),
                static_cast<double>(pass.weight_bytes()) / 1e6);
    const auto pack =
        random_pack(tokens, length, std::stod(words.at("--learnt")), base.shape().vocabulary);
    // The head meets learnt tokens only.
    const double no_head =
        (1 - std::stod(words.at("--learnt"))) * 2.0 * base.shape().width * base.shape().vocabulary;
    const double forward_flops =
        training::Pass::forward_flops(base.shape(), options, length) - no_head;
    const double backward_flops =
        training::Pass::backward_flops(base.shape(), options, length) - no_head;
    const double forward = best_seconds(seconds, [&] { pass.evaluate(pack, lora); });
    std::vector<float> gradients(lora.values().size());
    const double both = best_seconds(seconds, [&] { pass.train(pack, lora, {}, 1, gradients); });
    const double peak = peak_gflops(threads);  // last, when all that started with us has ended
    std::printf("peak      %8.0f GFLOP/s\n", peak);
    print_rate("forward", forward, tokens, forward_flops, peak);
    print_rate("training", both, tokens, forward_flops + backward_flops, peak);
}

}  // namespace

int main(int count, char** words) {
    Words options{{"--threads", "2"},
                  {"--tokens", "1024"},
                  {"--length", "200"},
                  {"--rank", "8"},
                  {"--learnt", "0.6"},
                  {"--weights", "1000"},
                  {"--targets", "q_proj,v_proj"},
                  {"--activations", "1000"},
                  {"--seconds", "3"}};
    for (int i = 2; i + 1 < count; i += 2) options[words[i]] = words[i + 1];
    measure(count > 1 ? words[1] : "", options);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf("memory    %8.2f GB at most\n", static_cast<double>(usage.ru_maxrss) / 1e6);
}
