#include "service/generation.hpp"

#include "service/response_cache.hpp"
#include "service/stats.hpp"

namespace jikji::service {

Generation::Generation(engine::Stream stream, Origin origin)
    : stream_(std::move(stream)),
      origin_(std::move(origin)),
      started_(std::chrono::steady_clock::now()) {}

Generation::Generation(std::shared_ptr<SharedAnswer> answer, Origin origin)
    : shared_(std::move(answer)),
      origin_(std::move(origin)),
      started_(std::chrono::steady_clock::now()) {}

Generation::~Generation() {
    if (!done_ && origin_.count_in != nullptr) count(GenerationOutcome::End::kCancelled);
}

// A moved-from Generation must not count: its origin loses its pointers.
Generation::Generation(Generation&& other) noexcept
    : stream_(std::move(other.stream_)),
      shared_(std::move(other.shared_)),
      read_(other.read_),
      origin_(std::move(other.origin_)),
      started_(other.started_),
      first_seconds_(other.first_seconds_),
      done_(other.done_) {
    other.origin_.count_in = nullptr;
    other.origin_.remember_in = nullptr;
}

double Generation::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
}

std::optional<engine::Piece> Generation::next() {
    std::optional<engine::Piece> piece;
    try {
        piece = shared_ ? shared_->next(read_) : stream_->next();
    } catch (...) {
        if (!done_) count(GenerationOutcome::End::kFailed);
        done_ = true;
        throw;
    }
    if (!piece) {
        if (!done_) ended();
        return std::nullopt;
    }
    if (first_seconds_ == 0) first_seconds_ = seconds();
    ++read_;
    return piece;
}

void Generation::ended() {
    done_ = true;
    const bool whole = finish() != engine::Finish::kCancelled;
    count(whole ? GenerationOutcome::End::kDone : GenerationOutcome::End::kCancelled);
    if (!whole || origin_.cache_key.empty() || origin_.remember_in == nullptr) return;
    if (auto answer = shared_->to_remember()) {
        origin_.remember_in->put(origin_.cache_key, std::move(*answer));
    }
}

void Generation::count(GenerationOutcome::End end) {
    if (origin_.count_in == nullptr) return;
    GenerationOutcome outcome;
    outcome.model = origin_.model;
    outcome.end = end;
    outcome.cache_hit = origin_.cache == CacheUse::kHit;
    if (end == GenerationOutcome::End::kDone) {
        const engine::Usage usage = this->usage();
        outcome.prompt_tokens = usage.prompt_tokens;
        outcome.cached_tokens = usage.cached_tokens;
        outcome.completion_tokens = usage.completion_tokens;
    }
    outcome.seconds = seconds();
    outcome.first_token_seconds = first_seconds_;
    origin_.count_in->count(outcome);
}

void Generation::when_ready(std::function<void()> wake) {
    if (shared_) return shared_->when_ready(read_, std::move(wake));
    stream_->when_ready(std::move(wake));
}

engine::Finish Generation::finish() const {
    return shared_ ? shared_->finish() : stream_->finish();
}

engine::Usage Generation::usage() const { return shared_ ? shared_->usage() : stream_->usage(); }

}  // namespace jikji::service
