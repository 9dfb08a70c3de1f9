#include "http/offload.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "base/error.hpp"

namespace jikji::http {

Workers::Workers(int threads, std::size_t queue_max) : queue_max_(queue_max) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

Workers::~Workers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        jobs_.clear();
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void Workers::post(std::function<void()> job) {
    {
        const std::lock_guard lock(mutex_);
        if (jobs_.size() >= queue_max_) {
            throw Error(ErrorCode::kOverloaded,
                        "the server is busy: too many requests wait; try again later", {},
                        "서버가 바쁩니다. 기다리는 요청이 너무 많으니 잠시 뒤에 다시 시도하세요.");
        }
        jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
}

void Workers::loop() {
    while (true) {
        std::function<void()> job;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
            if (stopping_) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        job();  // does not throw: run() wraps the work
    }
}

// `failure` and what `work` refers to live in coroutines that wait for this: nothing is shared with
// the worker once the way back is posted.
net::awaitable<void> Workers::run(std::function<void()> work) {
    const net::any_io_executor executor = co_await net::this_coro::executor;
    std::exception_ptr failure;
    auto start = [this, &executor, &failure, &work](auto handler) {
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
            post(std::move(job));
        } catch (...) {
            failure = std::current_exception();
            go_back();
        }
    };
    co_await net::async_initiate<const net::use_awaitable_t<>, void()>(start, net::use_awaitable);
    if (failure) std::rethrow_exception(std::move(failure));
}

}  // namespace jikji::http
