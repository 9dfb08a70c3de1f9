#pragma once
// Blocking work away from the IO thread: a small pool, and the way back.
//
// Fair     whoever asks (a key) holds at most half of the threads and half of the waiting places,
//          and those that wait take turns: what one sends without end holds up nobody else.
#include <boost/asio/awaitable.hpp>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
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
    /// variables. Throws Error(kOverloaded) with retry_after() if the queue is full, for all or for
    /// `owner`.
    net::awaitable<void> run(std::string owner, std::function<void()> work);

private:
    using Job = std::function<void()>;
    struct Line {  // of one owner
        std::string owner;
        std::deque<Job> jobs;
        std::size_t running = 0;
    };
    using LinePtr = std::list<Line>::iterator;

    void post(const std::string& owner, Job job);
    LinePtr line_of(const std::string& owner);  // this and what follows: with the lock held
    LinePtr next_line();
    void loop();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::list<Line> lines_;  // those with something to do; whose turn is next stands first
    std::size_t waiting_ = 0;
    const std::size_t queue_max_;
    const std::size_t threads_of_one_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

/// co_await offload(workers, owner, [&] { return slow(); }) gives what slow() returns.
template <typename Work>
net::awaitable<std::invoke_result_t<Work&>> offload(Workers& workers, std::string owner,
                                                    Work work) {
    using Result = std::invoke_result_t<Work&>;
    if constexpr (std::is_void_v<Result>) {
        std::function<void()> job = [&work] { work(); };
        co_await workers.run(std::move(owner), std::move(job));
    } else {
        std::optional<Result> result;
        std::function<void()> job = [&work, &result] { result.emplace(work()); };
        co_await workers.run(std::move(owner), std::move(job));
        co_return std::move(*result);
    }
}

}  // namespace jikji::http
