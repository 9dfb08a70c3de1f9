#include "engine/embedder.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.hpp"
#include "engine/checks.hpp"

namespace jikji::engine {
namespace {

// libllama computes the attention of a packed pass as one square over all of its tokens, so its
// passes are kept small: long enough to fill the matrix products, short enough that the square
// costs little.
constexpr std::size_t kLlamaPassTokens = 256;
constexpr std::size_t kLlamaPassTexts = 64;
constexpr int kContextMax = 512;

// Our own pass costs the same per token however it is packed. It ends within what a chat beside it
// may lose between two tokens; more than a few thousand tokens would leave the CPU's caches.
constexpr double kPassSeconds = 0.03;
constexpr double kPassTokensMin = 128;
constexpr double kPassTokensMax = 1536;
constexpr double kNewest = 0.2;  // weight of the last pass in what a token costs

void normalise(std::vector<float>& row) {
    double sum = 0;
    for (const float value : row) sum += static_cast<double>(value) * value;
    if (!(sum > 0)) throw Error(ErrorCode::kInternal, "the model gave an empty vector");
    const auto scale = static_cast<float>(1.0 / std::sqrt(sum));
    for (float& value : row) value *= scale;
}

std::size_t tokens_of(const std::vector<std::vector<Token>>& texts) {
    std::size_t out = 0;
    for (const auto& text : texts) out += text.size();
    return out;
}

llama::ContextOptions context_options(const llama::Model& model, int threads) {
    const int context = Embedder::context_of(model);
    const int pass = std::max(context, static_cast<int>(kLlamaPassTokens));
    return {.cells = context,
            .sequences = static_cast<int>(kLlamaPassTexts),
            .batch = pass,
            .microbatch = pass,
            .threads = threads,
            .embeddings = true};
}

}  // namespace

EmbeddingBackend::EmbeddingBackend(std::shared_ptr<const llama::Model> model,
                                   std::unique_ptr<encoder::Encoder> own, int threads)
    : own_(std::move(own)), cores_(threads > 0 ? threads : llama::arithmetic_threads()) {
    if (own_) return;
    context_ = std::make_unique<llama::Context>(model, context_options(*model, threads));
}

std::vector<std::vector<float>> EmbeddingBackend::encode(
    const std::vector<std::vector<Token>>& texts) {
    std::vector<std::vector<float>> rows;
    if (own_) {
        using Clock = std::chrono::steady_clock;
        const auto start = Clock::now();
        rows = own_->encode(texts, cores_.threads());
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        const double now = seconds / static_cast<double>(tokens_of(texts));
        seconds_per_token_ += kNewest * (now - seconds_per_token_);
    } else {
        rows = context_->encode(texts);
    }
    for (auto& row : rows) normalise(row);
    return rows;
}

std::size_t EmbeddingBackend::tokens_max() const {
    if (!own_) return kLlamaPassTokens;
    return static_cast<std::size_t>(
        std::clamp(kPassSeconds / seconds_per_token_, kPassTokensMin, kPassTokensMax));
}

std::size_t EmbeddingBackend::texts_max() const {
    return own_ ? static_cast<std::size_t>(kPassTokensMax) : kLlamaPassTexts;
}

int Embedder::context_of(const llama::Model& model) {
    return std::min(model.context_trained(), kContextMax);
}

Embedder::Embedder(std::shared_ptr<const llama::Model> model, std::unique_ptr<encoder::Encoder> own,
                   const EmbedderOptions& options)
    : backend_(std::move(model), std::move(own), options.threads), cache_(options.cache_bytes) {}

Embedder::~Embedder() { fail_all(stopping_error()); }

void Embedder::add(EmbeddingRequest request, EmbeddingDelivery delivery) {
    auto job = std::make_shared<Job>();
    job->request = std::move(request);
    job->delivery = std::move(delivery);
    const std::size_t count = job->request.inputs.size();
    job->result.rows.resize(count);
    job->missing = count;
    try {
        for (std::size_t i = 0; i < count; ++i) want(job, i);
        if (job->missing > 0) return line_of(job->request.tenant).push_back(job);
    } catch (...) {
        return end(*job, std::current_exception());
    }
    finish(*job);
}

void Embedder::want(const JobPtr& job, std::size_t index) {
    std::vector<Token>& tokens = job->request.inputs[index];
    job->result.tokens += static_cast<int>(tokens.size());
    std::string key = VectorCache::key_of(job->request.tenant, tokens);
    if (const auto* row = cache_.find(key)) {
        job->result.rows[index] = *row;
        --job->missing;
        ++cached_;
        return;
    }
    std::weak_ptr<Text>& known = wanted_[key];
    TextPtr text = known.lock();
    if (!text) {
        text = std::make_shared<Text>();
        text->key = std::move(key);
        text->tokens = std::move(tokens);
        known = text;
    }
    text->for_.emplace_back(job, index);
    job->texts.push_back(std::move(text));
}

std::list<Embedder::JobPtr>& Embedder::line_of(const std::string& tenant) {
    const auto found = std::find_if(lines_.begin(), lines_.end(),
                                    [&](const Line& line) { return line.tenant == tenant; });
    return found == lines_.end() ? lines_.emplace_back(Line{tenant, {}}).jobs : found->jobs;
}

Embedder::TextPtr Embedder::next_of(Line& line, std::size_t room) {
    for (std::size_t tries = line.jobs.size(); tries > 0; --tries) {
        Job& job = *line.jobs.front();
        while (!job.texts.empty() && job.texts.front()->taken) job.texts.pop_front();
        if (!job.texts.empty()) {
            TextPtr text = job.texts.front();
            if (text->tokens.size() > room) return nullptr;
            job.texts.pop_front();
            line.jobs.splice(line.jobs.end(), line.jobs, line.jobs.begin());
            return text;
        }
        line.jobs.splice(line.jobs.end(), line.jobs, line.jobs.begin());
    }
    return nullptr;
}

Embedder::TextPtr Embedder::next_text(std::size_t room) {
    for (std::size_t tries = lines_.size(); tries > 0; --tries) {
        TextPtr text = next_of(lines_.front(), room);
        if (!text && tries == 1) return nullptr;
        lines_.splice(lines_.end(), lines_, lines_.begin());
        if (text) return text;
    }
    return nullptr;
}

std::vector<Embedder::TextPtr> Embedder::take_pass() {
    std::vector<TextPtr> out;
    std::size_t room = backend_.tokens_max();
    while (out.size() < backend_.texts_max()) {
        // The first is taken whatever its length: it fits a pass of its own.
        TextPtr text = next_text(out.empty() ? static_cast<std::size_t>(-1) : room);
        if (!text) break;
        text->taken = true;
        room -= std::min(room, text->tokens.size());
        out.push_back(std::move(text));
    }
    return out;
}

void Embedder::deliver(const Text& text, std::vector<float> row) {
    cache_.keep(text.key, row);
    ++computed_;
    bool first = true;
    for (const auto& [waiting, index] : text.for_) {
        const JobPtr job = waiting.lock();
        if (!std::exchange(first, false)) ++cached_;
        if (!job || job->ended) continue;
        job->result.rows[index] = row;
        if (--job->missing == 0) finish(*job);
    }
}

void Embedder::finish(Job& job) {
    job.ended = true;
    job.delivery.place.release();
    job.delivery.promise.set_value(std::move(job.result));
    if (job.delivery.ready) job.delivery.ready();
}

void Embedder::end(Job& job, const std::exception_ptr& cause) {
    if (std::exchange(job.ended, true)) return;
    job.delivery.place.release();
    job.delivery.promise.set_exception(cause);
    if (job.delivery.ready) job.delivery.ready();
}

void Embedder::end_unwanted() {
    for (Line& line : lines_) {
        for (const JobPtr& job : line.jobs) {
            if (const std::exception_ptr why = over(job->request.patience)) end(*job, why);
        }
    }
    sweep();
}

/// Jobs that have ended leave, and with them the texts that nobody else waits for.
void Embedder::sweep() {
    for (Line& line : lines_) {
        std::erase_if(line.jobs, [](const JobPtr& job) { return job->ended; });
    }
    std::erase_if(lines_, [](const Line& line) { return line.jobs.empty(); });
    std::erase_if(wanted_, [](const auto& entry) { return entry.second.expired(); });
}

void Embedder::step() {
    if (lines_.empty()) return;
    end_unwanted();
    {
        const std::vector<TextPtr> pass = take_pass();
        if (pass.empty()) return;
        try {
            std::vector<std::vector<Token>> texts;
            for (const TextPtr& text : pass) {
                texts.push_back(text->tokens);
                wanted_.erase(text->key);
            }
            std::vector<std::vector<float>> rows = backend_.encode(texts);
            for (std::size_t i = 0; i < rows.size(); ++i) deliver(*pass[i], std::move(rows[i]));
        } catch (...) {
            for (const TextPtr& text : pass) {
                for (const auto& [waiting, index] : text->for_) {
                    if (const JobPtr job = waiting.lock()) end(*job, std::current_exception());
                }
            }
        }
    }
    sweep();
}

void Embedder::fail_all(const std::exception_ptr& cause) {
    for (Line& line : lines_) {
        for (const JobPtr& job : line.jobs) end(*job, cause);
    }
    sweep();
}

}  // namespace jikji::engine
