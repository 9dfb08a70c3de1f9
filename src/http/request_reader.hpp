#pragma once
// Private to http: requests out of a socket, one after the other, within limits of size and time.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string>

#include "http/deadline.hpp"
#include "http/head.hpp"
#include "http/server.hpp"

namespace jikji::http {

class RequestReader {
public:
    /// Bytes that may wait for the next read: more is not pipelining but an attack.
    static constexpr std::size_t kAheadBytes = 64 * 1024;

    RequestReader(net::ip::tcp::socket& socket, Deadline& deadline, const ServerLimits& limits);
    ~RequestReader();

    /// The next request's head; false if the client closed or said nothing in time. Throws Problem
    /// (400, 408, 417, 431). `first_byte_time` is how long the first byte may take.
    net::awaitable<bool> read_head(Milliseconds first_byte_time);
    const Head& head() const { return head_; }

    /// Up to `size` bytes of the body; 0 at its end. Throws Problem: 400, 408; system_error when
    /// the client leaves.
    net::awaitable<std::size_t> read_body(char* out, std::size_t size);
    bool body_done() const;
    /// Nothing of a request has come: closing now takes nothing from anyone.
    bool idle() const { return idle_; }

    /// The client sends no more. Asio must not be asked again then: it reports an end once, and a
    /// second read waits for ever.
    bool ended() const { return ended_; }

    /// Reads ahead until the client leaves, sends too much (no error), or the wait is cancelled.
    net::awaitable<boost::system::error_code> read_ahead();

private:
    struct Parser;
    net::awaitable<std::size_t> read_more(std::size_t room, boost::system::error_code& error);
    void parse_head(std::size_t size);
    std::size_t parse_body(char* out, std::size_t size);
    void arm_for_body();

    net::ip::tcp::socket& socket_;
    Deadline& deadline_;
    const ServerLimits& limits_;
    std::unique_ptr<Parser> parser_;
    Head head_;
    std::string buffer_;  // came, and is not read yet
    bool idle_ = true;
    bool ended_ = false;
    std::uint64_t body_bytes_ = 0;
    Clock::time_point body_start_;
};

}  // namespace jikji::http
