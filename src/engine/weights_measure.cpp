#include "engine/weights_measure.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>

#include "base/error.hpp"
#include "llama/context.hpp"
#include "llama/perplexity.hpp"

namespace jikji::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPrompt = 256, kSteps = 24, kRounds = 3;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

/// One prefill and some steps; keeps the better of these rates and those in `result`.
void run_once(const Contender& contender, int prompt, int threads) {
    auto tokens = contender.model->tokenize(llama::fixed_english(), false, false);
    llama::Context context(contender.model, {.cells = prompt + kSteps + 1, .threads = threads});
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < prompt; ++i) {
        batch.push_back({tokens[static_cast<std::size_t>(i)], i, 0, i + 1 == prompt});
    }
    auto start = Clock::now();
    JIKJI_CHECK(context.decode(batch) == llama::Decoded::kDone);
    (void)context.logits(prompt - 1);
    models::MeasuredLayout& result = *contender.result;
    result.prefill = std::max(result.prefill, prompt / seconds_since(start));
    // The best few steps: other programs only ever make a step slower.
    constexpr int kTogether = 8;
    for (int step = 0; step < kSteps; step += kTogether) {
        start = Clock::now();
        for (int i = 0; i < kTogether; ++i) {
            const int position = prompt + step + i;
            const llama::BatchToken next{tokens[static_cast<std::size_t>(i)], position, 0, true};
            JIKJI_CHECK(context.decode({&next, 1}) == llama::Decoded::kDone);
            (void)context.logits(0);
        }
        result.decode = std::max(result.decode, kTogether / seconds_since(start));
    }
}

}  // namespace

double measure_rates(const Contender& a, const Contender* b, int threads) {
    const int room = a.model->context_trained() - kSteps - 1;
    const int prompt = std::clamp(room, 1, kPrompt);
    const auto start = Clock::now();
    const std::clock_t worked = std::clock();
    for (int round = 0; round < kRounds; ++round) {
        run_once(a, prompt, threads);
        if (b != nullptr) run_once(*b, prompt, threads);
    }
    const double ours = static_cast<double>(std::clock() - worked) / CLOCKS_PER_SEC;
    return ours / (seconds_since(start) * threads);
}

TextScore measure_perplexity(const std::shared_ptr<const llama::Model>& model,
                             std::string_view text, int threads) {
    const int window = std::clamp(model->context_trained() / 2 * 2, 8, 256);
    const std::string ours =
        std::string(llama::fixed_english()) + std::string(llama::fixed_korean());
    const llama::Perplexity result = llama::perplexity(model, text.empty() ? ours : text,
                                                       {.window = window, .threads = threads});
    return {result.value, result.scored};
}

}  // namespace jikji::engine
