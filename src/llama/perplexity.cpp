#include "llama/perplexity.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "base/error.hpp"
#include "llama/context.hpp"

namespace jikji::llama {
namespace {

double loss_of(std::span<const float> logits, Token token) {
    const float top = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(logit - top);
    return std::log(sum) + static_cast<double>(top - logits[static_cast<std::size_t>(token)]);
}

/// Scores windows in passes of `together` tokens.
class Scorer {
public:
    Scorer(Context& context, int together)
        : context_(context), together_(static_cast<std::size_t>(together)) {}

    /// The sum of the losses of the second half.
    double score(std::span<const Token> window) {
        const std::size_t half = window.size() / 2;
        double sum = 0;
        context_.forget(0);
        for (std::size_t from = 0; from + 1 < window.size(); from += together_) {
            const std::size_t to = std::min(from + together_, window.size() - 1);
            std::vector<BatchToken> batch;
            for (std::size_t i = from; i < to; ++i) {
                batch.push_back({window[i], static_cast<int>(i), 0, i + 1 >= half});
            }
            if (context_.decode(batch) != Decoded::kDone) {
                throw Error(ErrorCode::kInternal, "a window found no room in its own context");
            }
            for (std::size_t i = std::max(from, half - 1); i < to; ++i) {
                sum += loss_of(context_.logits(static_cast<int>(i - from)), window[i + 1]);
            }
        }
        return sum;
    }

private:
    Context& context_;
    std::size_t together_;
};

}  // namespace

Perplexity perplexity(std::shared_ptr<const Model> model, std::string_view text,
                      const PerplexityOptions& options) {
    JIKJI_CHECK(options.together >= 1 && options.window >= 8 && options.window <= 512 &&
                options.window % 2 == 0);
    const auto size = static_cast<std::size_t>(options.window);
    std::vector<Token> tokens = model->tokenize(text, /*whole=*/false, /*special=*/false);
    if (tokens.size() < size) {
        const std::string have = std::to_string(tokens.size());
        const std::string need = std::to_string(size);
        throw Error(ErrorCode::kInvalidArgument,
                    "the text has " + have + " tokens; give one of at least " + need, "text",
                    "글이 " + have + "토큰입니다. " + need + "토큰 이상인 글을 주세요.");
    }
    const std::vector<Token> marks = model->tokenize("", /*whole=*/true, /*special=*/false);
    // A context keeps as many outputs of a batch as it has sequences.
    Context context(
        model,
        {.cells = options.window, .sequences = options.window / 2 + 1, .threads = options.threads});
    Scorer scorer(context, options.together);
    Perplexity out;
    double sum = 0;
    for (std::size_t at = 0; at + size <= tokens.size(); at += size) {
        if (!marks.empty()) tokens[at] = marks.front();
        sum += scorer.score(std::span(tokens).subspan(at, size));
        out.scored += options.window / 2;
    }
    out.value = std::exp(sum / out.scored);
    return out;
}

}  // namespace jikji::llama
