#include "engine/embedder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace jikji::engine {
namespace {

// libllama computes the attention of a packed pass as one square over all of its tokens, so a pass
// is kept small: long enough to fill the matrix products, short enough that the square costs
// little.
constexpr std::size_t kPassTokens = 256;
constexpr std::size_t kPassTexts = 64;
constexpr int kContextMax = 512;

void normalise(std::vector<float>& row) {
    double sum = 0;
    for (const float value : row) sum += static_cast<double>(value) * value;
    if (!(sum > 0)) throw Error(ErrorCode::kInternal, "the model gave an empty vector");
    const auto scale = static_cast<float>(1.0 / std::sqrt(sum));
    for (float& value : row) value *= scale;
}

}  // namespace

int Embedder::context_of(const llama::Model& model) {
    return std::min(model.context_trained(), kContextMax);
}

Embedder::Embedder(std::shared_ptr<const llama::Model> model, int threads)
    : context_(model, {.cells = context_of(*model),
                       .sequences = static_cast<int>(kPassTexts),
                       .batch = std::max(context_of(*model), static_cast<int>(kPassTokens)),
                       .microbatch = std::max(context_of(*model), static_cast<int>(kPassTokens)),
                       .threads = threads,
                       .embeddings = true}) {}

void Embedder::add(EmbeddingRequest request, std::promise<EmbeddingResult> promise) {
    Job job{std::move(request), std::move(promise), {}, 0, {}};
    const auto& inputs = job.request.inputs;
    job.order.resize(inputs.size());
    std::iota(job.order.begin(), job.order.end(), std::size_t{0});
    std::stable_sort(job.order.begin(), job.order.end(), [&](std::size_t a, std::size_t b) {
        return inputs[a].size() < inputs[b].size();
    });
    job.result.rows.resize(inputs.size());
    for (const auto& input : inputs) job.result.tokens += static_cast<int>(input.size());
    jobs_.push_back(std::move(job));
}

std::size_t Embedder::pass_end(const Job& job) const {
    std::size_t tokens = 0;
    std::size_t end = job.next;
    while (end < job.order.size() && end - job.next < kPassTexts) {
        tokens += job.request.inputs[job.order[end]].size();
        if (end > job.next && tokens > kPassTokens) break;
        ++end;
    }
    return end;
}

void Embedder::compute(Job& job, std::size_t end) {
    std::vector<std::vector<Token>> texts;
    for (std::size_t i = job.next; i < end; ++i) texts.push_back(job.request.inputs[job.order[i]]);
    std::vector<std::vector<float>> rows = context_.encode(texts);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        normalise(rows[i]);
        job.result.rows[job.order[job.next + i]] = std::move(rows[i]);
    }
}

void Embedder::step() {
    if (jobs_.empty()) return;
    Job& job = jobs_.front();
    try {
        const std::size_t end = pass_end(job);
        if (end > job.next) compute(job, end);
        job.next = end;
        if (job.next < job.order.size()) return;
        job.promise.set_value(std::move(job.result));
    } catch (...) {
        job.promise.set_exception(std::current_exception());
    }
    jobs_.pop_front();
}

}  // namespace jikji::engine
