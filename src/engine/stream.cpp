#include "engine/stream.hpp"

#include "base/error.hpp"

namespace jikji::engine {

// Called with the lock held after every change; the wake runs without it, since it may come back.
void StreamWriter::wake_locked(std::unique_lock<std::mutex>& lock) {
    std::function<void()> wake;
    wake.swap(wake_);
    lock.unlock();
    changed_.notify_all();
    if (wake) wake();
}

void StreamWriter::push(Piece piece) {
    std::unique_lock lock(mutex_);
    pieces_.push_back(std::move(piece));
    wake_locked(lock);
}

void StreamWriter::finish(Finish reason, Usage usage) {
    std::unique_lock lock(mutex_);
    finish_ = reason;
    usage_ = usage;
    wake_locked(lock);
}

void StreamWriter::fail(std::exception_ptr cause) {
    std::unique_lock lock(mutex_);
    failure_ = std::move(cause);
    wake_locked(lock);
}

void StreamWriter::abandon() {
    cancelled_.store(true, std::memory_order_relaxed);
    std::function<void()> forgotten;
    const std::lock_guard lock(mutex_);
    forgotten.swap(wake_);
}

Stream::~Stream() {
    if (writer_) writer_->abandon();
}

Stream& Stream::operator=(Stream&& other) noexcept {
    if (this != &other) {
        if (writer_) writer_->abandon();
        writer_ = std::move(other.writer_);
    }
    return *this;
}

std::optional<Piece> Stream::next() {
    std::unique_lock lock(writer_->mutex_);
    writer_->changed_.wait(
        lock, [&] { return !writer_->pieces_.empty() || writer_->finish_ || writer_->failure_; });
    if (!writer_->pieces_.empty()) {
        Piece piece = std::move(writer_->pieces_.front());
        writer_->pieces_.pop_front();
        return piece;
    }
    if (writer_->failure_) std::rethrow_exception(writer_->failure_);
    return std::nullopt;
}

void Stream::when_ready(std::function<void()> wake) {
    {
        const std::lock_guard lock(writer_->mutex_);
        if (writer_->pieces_.empty() && !writer_->finish_ && !writer_->failure_) {
            writer_->wake_ = std::move(wake);
            return;
        }
    }
    wake();
}

Finish Stream::finish() const {
    const std::lock_guard lock(writer_->mutex_);
    JIKJI_CHECK(writer_->finish_.has_value());
    return *writer_->finish_;
}

Usage Stream::usage() const {
    const std::lock_guard lock(writer_->mutex_);
    return writer_->usage_;
}

}  // namespace jikji::engine
