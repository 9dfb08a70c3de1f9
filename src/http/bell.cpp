#include "http/bell.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace jikji::http {

// A timer that never fires by itself is an event that supports cancellation.
struct Bell::State {
    explicit State(const net::any_io_executor& executor)
        : timer(executor, net::steady_timer::time_point::max()) {}
    net::steady_timer timer;
    bool rung = false;  // touched on the executor only
};

Bell::Bell(const net::any_io_executor& executor) : state_(std::make_shared<State>(executor)) {}

void Bell::ring() const {
    net::post(state_->timer.get_executor(), [state = state_] {
        state->rung = true;
        state->timer.cancel();
    });
}

net::awaitable<void> Bell::wait() const {
    const std::shared_ptr<State> state = state_;
    while (!state->rung) {
        boost::system::error_code error;
        co_await state->timer.async_wait(net::redirect_error(net::use_awaitable, error));
        if (!state->rung && error) throw boost::system::system_error(error);
    }
}

}  // namespace jikji::http
