#pragma once
// Private to http: one time limit for a socket. Moving it costs nothing, so every write can: the
// timer underneath is only set anew when it fires too early.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>

namespace jikji::http {

namespace net = boost::asio;
using Clock = std::chrono::steady_clock;

/// When the time is over, what waits on the socket is cancelled and expired() is true.
/// Threads: the IO thread.
class Deadline {
public:
    explicit Deadline(net::ip::tcp::socket& socket);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;

    void arm(Clock::duration time) { arm_at(Clock::now() + time); }
    void arm_at(Clock::time_point due);
    void disarm();
    bool expired() const;

private:
    struct State;
    static void wait(const std::shared_ptr<State>& state);
    std::shared_ptr<State> state_;
};

}  // namespace jikji::http
