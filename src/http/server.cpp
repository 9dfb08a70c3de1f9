#include "http/server.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>

#include "base/error.hpp"
#include "base/log.hpp"
#include "http/connection.hpp"
#include "http/core.hpp"

namespace jikji::http {

using net::ip::tcp;

namespace {

constexpr int kBacklog = 1024;
constexpr int kTurnedAwayAtOnce = 64;

net::ip::address address_from(net::io_context& io, const std::string& host) {
    boost::system::error_code error;
    const net::ip::address literal = net::ip::make_address(host, error);
    if (!error) return literal;
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(host, "", error);
    if (!error && !found.empty()) return found.begin()->endpoint().address();
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("host is {}, which is no address of this machine; give 127.0.0.1, or "
                    "an address that `ip addr` shows",
                    host),
        "host",
        fmt::format("host 값 {}은(는) 이 컴퓨터의 주소가 아닙니다. 127.0.0.1이나 `ip addr`에 "
                    "나오는 주소를 쓰세요.",
                    host));
}

[[noreturn]] void cannot_listen(const std::string& host, int port,
                                const boost::system::error_code& error) {
    if (error == net::error::address_in_use) {
        throw Error(ErrorCode::kConflict,
                    fmt::format("port {} on {} is in use; stop the program that has it, or give "
                                "another one with --port",
                                port, host),
                    "port",
                    fmt::format("{}의 포트 {}을(를) 다른 프로그램이 쓰고 있습니다. 그 프로그램을 "
                                "끄거나 --port로 다른 포트를 쓰세요.",
                                host, port));
    }
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("cannot listen on {} port {}: {}; give another --host or --port", host,
                            port, error.message()),
                "host",
                fmt::format("{} 포트 {}에서 기다릴 수 없습니다({}). 다른 --host나 --port를 쓰세요.",
                            host, port, error.message()));
}

}  // namespace

class Server::Core : public Shared {
public:
    Core(ServerOptions given, const Router& routes)
        : Shared(std::move(given), routes), acceptor(io), signals(io) {}

    void listen();
    void run();
    void begin_stop();
    void wait_for_signal();
    void cut();

    tcp::acceptor acceptor;
    net::signal_set signals;
    int port = 0;

private:
    net::awaitable<void> accept();
    net::awaitable<void> serve(tcp::socket socket);
};

void Server::Core::listen() {
    const net::ip::address address = address_from(io, options.host);
    if (!address.is_loopback() && options.api_key_hashes.empty()) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("host is {}, which others can reach, and there is no API key; "
                                "give --api-key or a key file, or use 127.0.0.1",
                                options.host),
                    "host",
                    fmt::format("{}은(는) 다른 컴퓨터에서도 닿는 주소인데 API 키가 없습니다. "
                                "--api-key나 키 파일을 주거나 127.0.0.1을 쓰세요.",
                                options.host));
    }
    const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options.port));
    boost::system::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(kBacklog, error);
    if (error) cannot_listen(options.host, options.port, error);
    port = acceptor.local_endpoint().port();
    // From here on the address is known to others, who may ask us to stop before run() begins.
    if (options.stop_on_signals) {
        signals.add(SIGINT);
        signals.add(SIGTERM);
    }
}

net::awaitable<void> Server::Core::serve(tcp::socket socket) {
    Connection connection(*this, std::move(socket));
    if (connection_count > options.limits.connections) {
        co_await connection.turn_away();
    } else {
        co_await connection.run();
    }
}

net::awaitable<void> Server::Core::accept() {
    while (acceptor.is_open()) {
        boost::system::error_code error;
        tcp::socket socket =
            co_await acceptor.async_accept(net::redirect_error(net::use_awaitable, error));
        if (error == net::error::operation_aborted) co_return;
        if (error) {  // out of descriptors, most likely: wait until some are free
            log_warn(fmt::format("accept: {}", error.message()));
            net::steady_timer pause(io, std::chrono::milliseconds(100));
            co_await pause.async_wait(net::redirect_error(net::use_awaitable, error));
            continue;
        }
        if (connection_count >= options.limits.connections + kTurnedAwayAtOnce) continue;
        net::co_spawn(io, serve(std::move(socket)), net::detached);
    }
}

void Server::Core::run() {
    if (options.stop_on_signals) wait_for_signal();
    net::co_spawn(io, accept(), net::detached);
    io.run();
}

// The first one drains, the second cuts.
void Server::Core::wait_for_signal() {
    signals.async_wait([this](const boost::system::error_code& error, int) {
        if (error) return;
        if (stopping) return cut();
        begin_stop();
        if (!connections.empty()) wait_for_signal();
    });
}

void Server::Core::cut() {
    drain.cancel();
    for (Connection* connection : connections) connection->cut();
}

void Server::Core::begin_stop() {
    if (std::exchange(stopping, true)) return;
    boost::system::error_code ignored;
    acceptor.close(ignored);
    if (options.on_stopping) options.on_stopping();
    for (Connection* connection : connections) connection->stop_when_idle();
    if (connections.empty()) {
        signals.cancel(ignored);
        return;
    }
    drain.expires_after(options.limits.drain_time);
    drain.async_wait([this](const boost::system::error_code& error) {
        if (!error) cut();
        // No longer waited for, yet still caught: what is left to do is short and must be done.
        boost::system::error_code ended;
        signals.cancel(ended);
    });
}

Server::Server(ServerOptions options, const Router& router)
    : core_(std::make_unique<Core>(std::move(options), router)) {}

Server::~Server() = default;

void Server::listen() { core_->listen(); }

int Server::port() const { return core_->port; }

void Server::run() { core_->run(); }

void Server::stop() {
    net::post(core_->io, [core = core_.get()] { core->begin_stop(); });
}

int Server::connections() const { return core_->connection_count; }

}  // namespace jikji::http
