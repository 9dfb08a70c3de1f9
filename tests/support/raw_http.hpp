#pragma once
// A real server on a free port, and bytes to and from it without any client in between.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <string>
#include <string_view>
#include <thread>

#include "base/file.hpp"
#include "http/server.hpp"

namespace jikji::tests {

class RunningServer {
public:
    explicit RunningServer(http::ServerOptions options, const http::Router& router)
        : server_(with_free_port(std::move(options)), router) {
        server_.listen();
        thread_ = std::thread([this] { server_.run(); });
    }
    ~RunningServer() { stop(); }
    void stop() {
        server_.stop();
        if (thread_.joinable()) thread_.join();
    }
    int port() const { return server_.port(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
    http::Server& server() { return server_; }

private:
    static http::ServerOptions with_free_port(http::ServerOptions options) {
        options.port = 0;
        return options;
    }
    http::Server server_;
    std::thread thread_;
};

class RawSocket {
public:
    /// `receive_buffer` of 0 leaves the kernel's default.
    explicit RawSocket(int port, int receive_buffer = 0)
        : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (receive_buffer > 0)
            ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ =
            ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
        const timeval limit{20, 0};  // a test that waits longer has failed
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    bool connected() const { return connected_; }
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (count <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(count));
        }
        return true;
    }
    /// Nothing more will be sent; the other direction stays open.
    void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }

    /// Until `mark` has come, or the server closed, or 20 s passed.
    std::string receive_until(std::string_view mark) {
        char bytes[4096];
        while (mark.empty() || got_.find(mark) == std::string::npos) {
            const ssize_t count = ::recv(fd_.get(), bytes, sizeof bytes, 0);
            if (count <= 0) {
                closed_ = count == 0;
                break;
            }
            got_.append(bytes, static_cast<std::size_t>(count));
        }
        return got_;
    }
    std::string receive_all() { return receive_until({}); }
    void forget() { got_.clear(); }
    bool closed() const { return closed_; }  // the server closed in order, without a reset
    void close() { fd_ = Fd(); }
    /// Closes so that the other side sees a reset.
    void reset() {
        const linger now{1, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close();
    }

private:
    Fd fd_;
    bool connected_ = false;
    bool closed_ = false;
    std::string got_;
};

}  // namespace jikji::tests
