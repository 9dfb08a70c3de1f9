#pragma once
// Blocking work away from the IO thread: a small pool, and the way back.
#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

namespace jikji::http {

namespace net = boost::asio;

/// Threads: run() from coroutines of one io_context, which must outlive the pool.
class Workers {
public:
    Workers(int threads, std::size_t queue_max);
    ~Workers();  // finishes what runs, drops what waits
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Runs `work` on a thread of the pool; the coroutine continues on its own executor. What work
    /// throws is thrown here. Never ends before `work` does, so work may refer to the coroutine's
    /// variables. Throws Error(kOverloaded) if the queue is full.
    net::awaitable<void> run(std::function<void()> work);

private:
    void post(std::function<void()> job);
    void loop();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    std::size_t queue_max_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

/// co_await offload(workers, [&] { return slow(); }) gives what slow() returns.
template <typename Work>
net::awaitable<std::invoke_result_t<Work&>> offload(Workers& workers, Work work) {
    using Result = std::invoke_result_t<Work&>;
    if constexpr (std::is_void_v<Result>) {
        std::function<void()> job = [&work] { work(); };
        co_await workers.run(std::move(job));
    } else {
        std::optional<Result> result;
        std::function<void()> job = [&work, &result] { result.emplace(work()); };
        co_await workers.run(std::move(job));
        co_return std::move(*result);
    }
}

}  // namespace jikji::http
