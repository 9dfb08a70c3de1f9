#include "service/shared_answer.hpp"

#include "base/error.hpp"

namespace jikji::service {

bool SharedAnswer::known(std::size_t index) const {
    return index < answer_.pieces.size() || ended_ || failure_;
}

std::optional<engine::Piece> SharedAnswer::next(std::size_t index) {
    std::unique_lock lock(mutex_);
    while (!known(index)) {
        if (fetching_) {
            changed_.wait(lock, [&] { return known(index) || !fetching_; });
        } else {
            fetch(lock);
        }
    }
    if (index < answer_.pieces.size()) return answer_.pieces[index];
    if (failure_) std::rethrow_exception(failure_);
    return std::nullopt;
}

void SharedAnswer::fetch(std::unique_lock<std::mutex>& lock) {
    fetching_ = true;
    lock.unlock();
    std::optional<engine::Piece> piece;
    std::exception_ptr failure;
    try {
        piece = stream_->next();
    } catch (...) {
        failure = std::current_exception();
    }
    lock.lock();
    fetching_ = false;
    if (piece) {
        answer_.pieces.push_back(std::move(*piece));
    } else if (failure) {
        failure_ = failure;
    } else {
        ended_ = true;
        answer_.finish = stream_->finish();
        answer_.usage = stream_->usage();
    }
    changed_.notify_all();
}

void SharedAnswer::when_ready(std::size_t index, std::function<void()> wake) {
    {
        const std::lock_guard lock(mutex_);
        if (!known(index)) {
            wakes_.push_back(std::move(wake));
            if (armed_) return;
            armed_ = true;
        }
    }
    if (wake) return wake();
    stream_->when_ready([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->wake_all();
    });
}

// Several may wake for one piece: the first fetches it, the others find it there.
void SharedAnswer::wake_all() {
    std::vector<std::function<void()>> wakes;
    {
        const std::lock_guard lock(mutex_);
        armed_ = false;
        wakes.swap(wakes_);
    }
    for (const auto& wake : wakes) wake();
}

bool SharedAnswer::whole() const {
    const std::lock_guard lock(mutex_);
    return ended_ && answer_.finish != engine::Finish::kCancelled;
}

bool SharedAnswer::broken() const {
    const std::lock_guard lock(mutex_);
    return failure_ || (ended_ && answer_.finish == engine::Finish::kCancelled);
}

engine::Finish SharedAnswer::finish() const {
    const std::lock_guard lock(mutex_);
    JIKJI_CHECK(ended_);
    return answer_.finish;
}

engine::Usage SharedAnswer::usage() const {
    const std::lock_guard lock(mutex_);
    return answer_.usage;
}

std::optional<CachedAnswer> SharedAnswer::to_remember() {
    const std::lock_guard lock(mutex_);
    if (!ended_ || remembered_ || answer_.finish == engine::Finish::kCancelled) return std::nullopt;
    remembered_ = true;
    return answer_;
}

}  // namespace jikji::service
