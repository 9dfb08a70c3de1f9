// Texts and tokens per second of encoder::Encoder itself, for packs of 1 to 64 texts, beside
// llama::Context, and how far the two agree: no server, no tokeniser.
//
//   jikji_encoder_bench MODEL.gguf [--threads N] [--length TOKENS] [--instructions NAME]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "encoder/encoder.hpp"
#include "llama/context.hpp"
#include "llama/log.hpp"
#include "llama/model.hpp"

namespace {

using namespace jikji;
using Clock = std::chrono::steady_clock;
using Texts = std::vector<std::vector<encoder::Token>>;

struct Options {
    std::string model;
    std::string instructions;
    int threads = 2;
    int length = 102;
};

Texts random_texts(int count, int length, int vocabulary) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> pick(1000, vocabulary - 1);
    Texts out(static_cast<std::size_t>(count));
    for (auto& text : out) {
        text.resize(static_cast<std::size_t>(length));
        for (auto& token : text) token = pick(random);
    }
    return out;
}

template <class Run>
double best_seconds(Run&& run) {
    double best = 1e9;
    const auto begin = Clock::now();
    for (int i = 0; i < 3 || Clock::now() - begin < std::chrono::milliseconds(600); ++i) {
        const auto start = Clock::now();
        run();
        best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
    }
    return best;
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += static_cast<double>(a[i]) * b[i];
        aa += static_cast<double>(a[i]) * a[i];
        bb += static_cast<double>(b[i]) * b[i];
    }
    return ab / std::sqrt(aa * bb);
}

void agree(encoder::Encoder& own, llama::Context& other, int vocabulary, int threads) {
    double least = 1;
    for (int length = 1; length <= 512; length += length < 20 ? 1 : 37) {
        const Texts texts = random_texts(1, length, vocabulary);
        const auto a = own.encode(texts, threads);
        const auto b = other.encode(texts);
        least = std::min(least, cosine(a[0], b[0]));
    }
    std::printf("least cosine with libllama, 1 to 512 tokens: %.6f\n", least);
}

void measure(encoder::Encoder& own, const Options& options, int count) {
    const Texts texts = random_texts(count, options.length, own.vocabulary());
    const double seconds = best_seconds([&] { own.encode(texts, options.threads); });
    std::printf("own      %3d texts of %d  %8.1f texts/s  %9.0f tok/s\n", count, options.length,
                count / seconds, count * options.length / seconds);
    std::fflush(stdout);
}

Options parse(int count, char** words) {
    Options options;
    options.model = count > 1 ? words[1] : "";
    for (int i = 2; i + 1 < count; i += 2) {
        if (std::strcmp(words[i], "--threads") == 0) options.threads = std::stoi(words[i + 1]);
        if (std::strcmp(words[i], "--length") == 0) options.length = std::stoi(words[i + 1]);
        if (std::strcmp(words[i], "--instructions") == 0) options.instructions = words[i + 1];
    }
    return options;
}

}  // namespace

int main(int count, char** words) {
    const Options options = parse(count, words);
    llama::capture_log();
    const auto start = Clock::now();
    encoder::Encoder own(options.model, options.instructions);
    std::printf("loaded in %.2f s, %.1f MB of weights\n",
                std::chrono::duration<double>(Clock::now() - start).count(),
                static_cast<double>(own.bytes()) / 1e6);
    for (const int texts : {1, 2, 4, 8, 16, 32, 64}) measure(own, options, texts);
    const auto model =
        std::make_shared<const llama::Model>(options.model, llama::ModelOptions{.gpu_layers = 0});
    llama::Context other(model, {.cells = 512,
                                 .sequences = 8,
                                 .batch = 512,
                                 .microbatch = 512,
                                 .threads = options.threads,
                                 .embeddings = true});
    const Texts one = random_texts(1, options.length, own.vocabulary());
    const double seconds = best_seconds([&] { other.encode(one); });
    std::printf("libllama   1 texts of %d  %8.1f texts/s\n", options.length, 1 / seconds);
    agree(own, other, own.vocabulary(), options.threads);
}
