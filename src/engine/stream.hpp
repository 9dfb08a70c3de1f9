#pragma once
// The answer to a GenerationRequest as it is made. One writer (the engine's compute thread), one
// reader (any one thread). The queue between them is bounded by the request's max_tokens, so the
// writer never waits: one slow reader cannot stall the batch.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/request.hpp"

namespace jikji::engine {

/// The engine thread's end.
class StreamWriter {
public:
    bool wanted() const noexcept { return !cancelled_.load(std::memory_order_relaxed); }
    void push(Piece piece);
    void finish(Finish reason, Usage usage);
    void fail(std::exception_ptr cause);

private:
    friend class Stream;
    void abandon();  // cancels, and forgets the wake
    void wake_locked(std::unique_lock<std::mutex>& lock);

    std::atomic<bool> cancelled_{false};
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> wake_;
    std::deque<Piece> pieces_;
    std::optional<Finish> finish_;
    Usage usage_;
    std::exception_ptr failure_;
};

/// The reader's end. Destroying it cancels the generation: a dropped connection stops the work
/// within one decode step.
class Stream {
public:
    explicit Stream(std::shared_ptr<StreamWriter> writer) : writer_(std::move(writer)) {}
    ~Stream();
    Stream(Stream&&) noexcept = default;
    Stream& operator=(Stream&&) noexcept;

    /// The next piece, waiting for it; nothing once finished. Rethrows what stopped the engine.
    std::optional<Piece> next();

    /// For a reader that must not wait: calls `wake` once, as soon as next() would not wait, from
    /// the engine thread or, if that is so already, from here. `wake` only posts.
    void when_ready(std::function<void()> wake);

    Finish finish() const;  // requires: next() has returned nothing
    Usage usage() const;    // the same

private:
    std::shared_ptr<StreamWriter> writer_;
};

}  // namespace jikji::engine
