#pragma once
// One computation and those who read it: requests that are equal to the last byte at the same
// moment are computed once. Whoever wants a piece that is not there yet fetches it from the
// engine's stream, for all; when the last reader lets go, the work stops.
// Threads: readers may be in different ones.
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/stream.hpp"

namespace jikji::service {

/// A whole answer, as it is remembered.
struct CachedAnswer {
    std::vector<engine::Piece> pieces;
    engine::Finish finish = engine::Finish::kStop;
    engine::Usage usage;
};

class SharedAnswer : public std::enable_shared_from_this<SharedAnswer> {
public:
    explicit SharedAnswer(engine::Stream stream) : stream_(std::move(stream)) {}
    /// One that is whole already.
    explicit SharedAnswer(CachedAnswer answer) : answer_(std::move(answer)), ended_(true) {}

    /// Piece number `index`, waiting for it; nothing at the end. Rethrows what stopped the engine.
    /// Requires: the pieces before it were asked for.
    std::optional<engine::Piece> next(std::size_t index);

    /// Calls `wake` once, as soon as next(index) would not wait. `wake` only posts.
    void when_ready(std::size_t index, std::function<void()> wake);

    bool whole() const;   // it has ended by itself
    bool broken() const;  // it has failed or was cancelled: it will never be whole

    engine::Finish finish() const;  // requires: a next() has returned nothing
    engine::Usage usage() const;    // the same

    /// The whole answer, to the first who asks when it has ended by itself; nothing to others.
    std::optional<CachedAnswer> to_remember();

private:
    bool known(std::size_t index) const;  // with the lock held
    void fetch(std::unique_lock<std::mutex>& lock);
    void wake_all();

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<engine::Stream> stream_;
    CachedAnswer answer_;
    std::exception_ptr failure_;
    bool ended_ = false;
    bool fetching_ = false;  // a reader waits for the stream, outside the lock
    bool armed_ = false;     // the stream will call wake_all()
    bool remembered_ = false;
    std::vector<std::function<void()>> wakes_;
};

}  // namespace jikji::service
