#include "http/offload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "base/error.hpp"

namespace jikji::http {

namespace {

// How long a piece of blocking work takes is not known here; most take far less.
constexpr std::chrono::milliseconds kRetryAfter{1000};

void refuse(std::size_t waiting, bool own) {
    Error error(
        ErrorCode::kOverloaded,
        fmt::format("the server is busy: {} {}requests wait for it; try again in a while", waiting,
                    own ? "of your " : ""),
        {},
        fmt::format("서버가 바쁩니다. 기다리는 {}요청이 {}개이니 잠시 뒤에 다시 시도하세요.",
                    own ? "당신의 " : "", waiting));
    throw error.retry_after(kRetryAfter);
}

}  // namespace

Workers::Workers(int threads, std::size_t queue_max)
    : queue_max_(queue_max),
      threads_of_one_(std::max<std::size_t>(1, static_cast<std::size_t>(threads) / 2)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        lines_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

Workers::LinePtr Workers::line_of(const std::string& owner) {
    const auto known = std::find_if(lines_.begin(), lines_.end(),
                                    [&](const Line& line) { return line.owner == owner; });
    return known != lines_.end() ? known : lines_.insert(lines_.end(), Line{owner, {}});
}

void Workers::post(const std::string& owner, Job job) {
    {
        const std::lock_guard lock(mutex_);
        if (waiting_ >= queue_max_) refuse(waiting_, /*own=*/false);
        const auto known = line_of(owner);
        if (known->jobs.size() >= std::max<std::size_t>(1, queue_max_ / 2)) {
            refuse(known->jobs.size(), /*own=*/true);
        }
        known->jobs.push_back(std::move(job));
        ++waiting_;
    }
    changed_.notify_one();
}

Workers::LinePtr Workers::next_line() {
    return std::find_if(lines_.begin(), lines_.end(), [this](const Line& line) {
        return !line.jobs.empty() && line.running < threads_of_one_;
    });
}

void Workers::loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || next_line() != lines_.end(); });
        if (stopping_) return;
        const LinePtr line = next_line();
        Job job = std::move(line->jobs.front());
        line->jobs.pop_front();
        --waiting_;
        ++line->running;
        lines_.splice(lines_.end(), lines_, line);
        lock.unlock();
        job();  // does not throw: run() wraps the work
        job = nullptr;
        lock.lock();
        if (stopping_) return;  // the lines are gone
        --line->running;
        if (line->running == 0 && line->jobs.empty()) lines_.erase(line);
        changed_.notify_one();  // one more of this owner's may run
    }
}

// `failure` and what `work` refers to live in coroutines that wait for this: nothing is shared with
// the worker once the way back is posted.
net::awaitable<void> Workers::run(std::string owner, std::function<void()> work) {
    const net::any_io_executor executor = co_await net::this_coro::executor;
    std::exception_ptr failure;
    auto start = [this, &executor, &failure, &owner, &work](auto handler) {
        // std::function copies its target, and the handler can only be moved.
        auto back = std::make_shared<decltype(handler)>(std::move(handler));
        auto guard = std::make_shared<net::executor_work_guard<net::any_io_executor>>(executor);
        const auto go_back = [executor, back, guard] {
            net::post(executor, [back, guard] { std::move (*back)(); });
        };
        auto job = [go_back, &failure, work = std::move(work)]() mutable {
            try {
                std::exchange(work, nullptr)();
            } catch (...) {
                failure = std::current_exception();
            }
            go_back();
        };
        try {
            post(owner, std::move(job));
        } catch (...) {
            failure = std::current_exception();
            go_back();
        }
    };
    co_await net::async_initiate<const net::use_awaitable_t<>, void()>(start, net::use_awaitable);
    if (failure) std::rethrow_exception(std::move(failure));
}

}  // namespace jikji::http
