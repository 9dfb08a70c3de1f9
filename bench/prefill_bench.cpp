// Tokens per second of llama::Context itself, without server and scheduler: prefill, and steps in
// which 1 to 16 sequences decode together. With a text, its mean loss as well, so that a faster
// path shows what it costs.
//
//   jikji_prefill_bench MODEL.gguf [--threads N] [--repeats N] [--text FILE] [--only SECTION]
//                      [--length N] [--rows N]
//
// SECTION is prefill, decode (up to N rows) or loss. JIKJI_GEMM=off measures ggml's own products.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "llama/context.hpp"
#include "llama/log.hpp"
#include "llama/model.hpp"

namespace {

using namespace jikji;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string model;
    std::string text;
    std::string only;
    int threads = 0;
    int length = 0;  // of the prefill; 0 = 512 to 4,096
    int repeats = 3;
    int rows_most = 16;  // of decode
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<llama::Token> random_tokens(int count, int vocabulary) {
    std::mt19937 random(7);
    std::uniform_int_distribution<int> pick(100, std::max(101, vocabulary - 1));
    std::vector<llama::Token> out(static_cast<std::size_t>(count));
    for (auto& token : out) token = pick(random);
    return out;
}

void prefill(const std::shared_ptr<const llama::Model>& model, const Options& options, int length) {
    llama::Context context(model, {.cells = length + 64, .threads = options.threads});
    const auto tokens = random_tokens(length, model->vocabulary());
    double best = 1e9;
    for (int repeat = 0; repeat <= options.repeats; ++repeat) {  // the first one warms up
        context.forget(0);
        const auto start = Clock::now();
        std::vector<llama::BatchToken> batch;
        for (int i = 0; i < length; ++i) {
            batch.push_back({tokens[static_cast<std::size_t>(i)], i, 0, i + 1 == length});
            if (i + 1 < length && batch.size() < 2048) continue;
            context.decode(batch);
            if (i + 1 == length) (void)context.logits(static_cast<int>(batch.size()) - 1);
            batch.clear();
        }
        if (repeat > 0) best = std::min(best, seconds_since(start));
    }
    std::printf("prefill %5d tokens  %8.1f tok/s\n", length, length / best);
    std::fflush(stdout);
}

/// `rows` sequences, each with its own `length` tokens, or with one prefix of that length that they
/// share, advance by one token in every step.
void decode(const std::shared_ptr<const llama::Model>& model, const Options& options, int rows,
            int length, bool shared) {
    constexpr int kSteps = 24;
    const int prompts = shared ? 1 : rows;
    llama::Context context(model, {.cells = prompts * length + rows * (kSteps + 1),
                                   .sequences = rows,
                                   .threads = options.threads});
    const auto tokens = random_tokens(length + kSteps, model->vocabulary());
    double best = 1e9;
    for (int repeat = 0; repeat <= options.repeats; ++repeat) {
        for (int s = 0; s < rows; ++s) context.forget(s);
        for (int s = 0; s < prompts; ++s) {
            std::vector<llama::BatchToken> batch;
            for (int i = 0; i < length; ++i)
                batch.push_back({tokens[static_cast<std::size_t>(i)], i, s, i + 1 == length});
            context.decode(batch);
        }
        for (int s = prompts; s < rows; ++s) context.share(0, s, length);
        const auto start = Clock::now();
        for (int position = length; position < length + kSteps; ++position) {
            std::vector<llama::BatchToken> batch;
            for (int s = 0; s < rows; ++s)
                batch.push_back({tokens[static_cast<std::size_t>(position)], position, s, true});
            context.decode(batch);
            (void)context.logits(rows - 1);
        }
        if (repeat > 0) best = std::min(best, seconds_since(start));
    }
    std::printf("decode  %5d rows after %4d %s tokens  %8.1f tok/s  %7.2f ms a step\n", rows,
                length, shared ? "shared" : "own", rows * kSteps / best, best * 1000 / kSteps);
    std::fflush(stdout);
}

double loss_of(std::span<const float> logits, llama::Token token) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x) - top);
    return std::log(sum) + top - logits[static_cast<std::size_t>(token)];
}

/// Mean loss of windows of 2,048 tokens: each is predicted from those before it in its window.
void loss(const std::shared_ptr<const llama::Model>& model, const Options& options) {
    constexpr int kWindow = 2048;
    constexpr int kPiece = 256;  // logits are kept of so many
    std::ifstream in(options.text, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto tokens = model->tokenize(text, true, false);
    llama::Context context(model,
                           {.cells = kWindow, .outputs = kPiece, .threads = options.threads});
    double sum = 0;
    int count = 0;
    for (std::size_t at = 0; at + kWindow < tokens.size() && count < 4 * kWindow; at += kWindow) {
        context.forget(0);
        for (int from = 0; from < kWindow; from += kPiece) {
            std::vector<llama::BatchToken> batch;
            for (int i = from; i < from + kPiece; ++i)
                batch.push_back({tokens[at + static_cast<std::size_t>(i)], i, 0, true});
            context.decode(batch);
            for (int i = 0; i < kPiece; ++i, ++count)
                sum +=
                    loss_of(context.logits(i), tokens[at + static_cast<std::size_t>(from + i + 1)]);
        }
    }
    std::printf("loss    %5d tokens  %8.5f nats, perplexity %.4f\n", count, sum / count,
                std::exp(sum / count));
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const bool has_value = i + 1 < argc;
        if (has_value && std::strcmp(argv[i], "--threads") == 0) {
            options.threads = std::stoi(argv[++i]);
        } else if (has_value && std::strcmp(argv[i], "--repeats") == 0) {
            options.repeats = std::stoi(argv[++i]);
        } else if (has_value && std::strcmp(argv[i], "--length") == 0) {
            options.length = std::stoi(argv[++i]);
        } else if (has_value && std::strcmp(argv[i], "--rows") == 0) {
            options.rows_most = std::stoi(argv[++i]);
        } else if (has_value && std::strcmp(argv[i], "--text") == 0) {
            options.text = argv[++i];
        } else if (has_value && std::strcmp(argv[i], "--only") == 0) {
            options.only = argv[++i];
        } else {
            options.model = argv[i];
        }
    }
    return options;
}

}  // namespace

int main(int argc, char** argv) try {
    const Options options = parse(argc, argv);
    llama::capture_log();
    const auto wanted = [&](const char* section) {
        return options.only.empty() || options.only == section;
    };
    const auto loading = Clock::now();
    const auto model = std::make_shared<const llama::Model>(options.model, llama::ModelOptions{});
    std::printf("load                 %8.2f s\n", seconds_since(loading));
    if (wanted("prefill")) {
        for (const int length : {512, 1700, 2048, 4096})
            if (options.length == 0) prefill(model, options, length);
        if (options.length > 0) prefill(model, options, options.length);
    }
    if (wanted("decode")) {
        struct Step {
            int rows, length;
            bool shared;
        };
        for (const Step& s : std::initializer_list<Step>{{1, 128, false},
                                                         {1, 1700, false},
                                                         {2, 128, false},
                                                         {4, 128, false},
                                                         {8, 128, false},
                                                         {16, 128, false},
                                                         {8, 500, false},
                                                         {16, 500, false},
                                                         {16, 1275, true}}) {
            if (s.rows <= options.rows_most) decode(model, options, s.rows, s.length, s.shared);
        }
    }
    if (wanted("loss") && !options.text.empty()) loss(model, options);
} catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
