#include "api/choices.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <deque>
#include <mutex>

#include "base/error.hpp"

namespace jikji::api {

/// The choices that can be read without waiting, in the order in which they became so.
struct Choices::Ready {
    std::mutex mutex;
    std::deque<std::size_t> indices;
    std::optional<http::Bell> bell;  // rung at the next one

    void add(std::size_t index) {
        std::optional<http::Bell> ringing;
        {
            const std::lock_guard lock(mutex);
            indices.push_back(index);
            ringing.swap(bell);
        }
        if (ringing) ringing->ring();
    }

    std::optional<std::size_t> take() {
        const std::lock_guard lock(mutex);
        if (indices.empty()) return std::nullopt;
        const std::size_t index = indices.front();
        indices.pop_front();
        return index;
    }

    /// False if something is ready by now: then nobody will ring.
    bool hang(const http::Bell& fresh) {
        const std::lock_guard lock(mutex);
        if (!indices.empty()) return false;
        bell = fresh;
        return true;
    }
};

Choices::Choices(std::vector<service::Generation> generations)
    : ready_(std::make_shared<Ready>()), generations_(std::move(generations)) {}

void Choices::arm(std::size_t index) {
    generations_[index].when_ready([ready = ready_, index] { ready->add(index); });
}

net::awaitable<std::optional<Choices::Arrival>> Choices::next() {
    if (!armed_) {
        armed_ = true;
        for (std::size_t i = 0; i < generations_.size(); ++i) arm(i);
    }
    if (ended_ == generations_.size()) co_return std::nullopt;

    std::optional<std::size_t> index = ready_->take();
    if (!index) {
        const auto executor = co_await net::this_coro::executor;
        const http::Bell bell(executor);
        if (ready_->hang(bell)) co_await bell.wait();
        index = ready_->take();
    }
    JIKJI_CHECK(index.has_value());

    Arrival arrival;
    arrival.index = *index;
    arrival.piece = generations_[*index].next();
    if (arrival.piece) {
        arm(*index);
    } else {
        ++ended_;
        if (generations_[*index].finish() == engine::Finish::kCancelled)
            throw Error(ErrorCode::kCancelled, "the server is stopping; send the request again", {},
                        "서버가 멈추는 중입니다. 다시 보내 주세요.");
    }
    co_return arrival;
}

engine::Usage Choices::usage(std::size_t per_prompt) const {
    engine::Usage sum;
    for (std::size_t i = 0; i < generations_.size(); ++i) {
        const engine::Usage one = generations_[i].usage();
        sum.completion_tokens += one.completion_tokens;
        if (i % per_prompt != 0) continue;
        sum.prompt_tokens += one.prompt_tokens;
        sum.cached_tokens += one.cached_tokens;
    }
    return sum;
}

service::CacheUse Choices::cache() const {
    const auto uses = [this](service::CacheUse use) {
        return std::ranges::count(generations_, use, &service::Generation::cache);
    };
    if (uses(service::CacheUse::kOff) > 0) return service::CacheUse::kOff;
    return uses(service::CacheUse::kMiss) > 0 ? service::CacheUse::kMiss : service::CacheUse::kHit;
}

}  // namespace jikji::api
