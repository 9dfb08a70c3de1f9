#pragma once
// A one-shot event that a coroutine awaits and any thread rings.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <memory>

namespace jikji::http {

namespace net = boost::asio;

/// A handle: copies ring and await the same bell. One coroutine may wait.
class Bell {
public:
    explicit Bell(const net::any_io_executor& executor);

    /// Any thread, any number of times. Only posts. The executor must still live.
    void ring() const;

    /// Returns at once if it rang before. Throws boost::system::system_error (operation_aborted)
    /// when the request is cancelled: the client left.
    net::awaitable<void> wait() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace jikji::http
