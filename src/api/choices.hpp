#pragma once
// Several generations read side by side, piece by piece as they come, without blocking the IO
// thread. Destroying it cancels those that still run, so a client that leaves stops the work.
// Threads: one coroutine.
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "http/bell.hpp"
#include "service/generation.hpp"

namespace jikji::api {

namespace net = boost::asio;

class Choices {
public:
    explicit Choices(std::vector<service::Generation> generations);

    struct Arrival {
        std::size_t index = 0;
        std::optional<engine::Piece> piece;  // nothing: this choice has ended
    };
    /// What comes next from any of them; nothing once all have ended. Rethrows what stopped the
    /// engine, and throws Error(kCancelled) for a choice that the engine gave up.
    net::awaitable<std::optional<Arrival>> next();

    std::size_t size() const { return generations_.size(); }
    const service::Generation& at(std::size_t index) const { return generations_[index]; }

    /// What all choices used; the prompt that every `per_prompt` choices share counts once.
    /// Requires: all have ended.
    engine::Usage usage(std::size_t per_prompt) const;

    /// hit if every choice came from the cache, off if none could, else miss.
    service::CacheUse cache() const;

private:
    struct Ready;
    void arm(std::size_t index);

    // Before generations_: wakes that are under way still find it.
    std::shared_ptr<Ready> ready_;
    std::vector<service::Generation> generations_;
    std::size_t ended_ = 0;
    bool armed_ = false;
};

}  // namespace jikji::api
