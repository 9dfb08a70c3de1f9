#include "http/deadline.hpp"

namespace jikji::http {

struct Deadline::State {
    explicit State(net::ip::tcp::socket& s) : socket(&s), timer(s.get_executor()) {}
    net::ip::tcp::socket* socket;  // null once the Deadline is gone
    net::steady_timer timer;
    Clock::time_point due = Clock::time_point::max();
    Clock::time_point fires = Clock::time_point::max();  // when the timer does; max: it is not set
    bool expired = false;
};

Deadline::Deadline(net::ip::tcp::socket& socket) : state_(std::make_shared<State>(socket)) {}

Deadline::~Deadline() {
    state_->socket = nullptr;
    state_->timer.cancel();
}

void Deadline::arm_at(Clock::time_point due) {
    state_->due = due;
    if (due < state_->fires) wait(state_);
}

void Deadline::disarm() { state_->due = Clock::time_point::max(); }

bool Deadline::expired() const { return state_->expired; }

void Deadline::wait(const std::shared_ptr<State>& state) {
    state->fires = state->due;
    state->timer.expires_at(state->due);
    state->timer.async_wait([state](const boost::system::error_code& error) {
        if (error || !state->socket) return;  // an earlier time replaced it, or nobody cares
        state->fires = Clock::time_point::max();
        if (state->due == Clock::time_point::max()) return;
        if (Clock::now() < state->due) return wait(state);
        state->expired = true;
        boost::system::error_code ignored;
        state->socket->cancel(ignored);
    });
}

}  // namespace jikji::http
