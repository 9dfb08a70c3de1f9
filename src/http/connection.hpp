#pragma once
// Private to http: one client's socket, from accept to close. Threads: the IO thread.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "http/call.hpp"
#include "http/core.hpp"
#include "http/request_reader.hpp"
#include "http/responder.hpp"

namespace jikji::http {

class Connection {
public:
    Connection(Shared& shared, net::ip::tcp::socket socket);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Serves requests until the client or the server ends it.
    net::awaitable<void> run();
    /// Says 503 and closes: there are too many connections.
    net::awaitable<void> turn_away();

    void stop_when_idle();  // the server stops: no request after this one
    void cut();             // cancels what runs

    // For Responder and Sse.
    net::awaitable<void> send(Reply reply);
    net::awaitable<void> open_stream(std::vector<std::pair<std::string, std::string>> headers);
    net::awaitable<void> send_chunk(std::string_view text);
    net::awaitable<void> end_stream();
    bool started() const { return sent_ != Sent::kNothing; }
    net::any_io_executor executor() { return socket_.get_executor(); }

private:
    enum class Sent { kNothing, kStream, kAll };

    net::awaitable<bool> serve_one(bool first);
    net::awaitable<void> receive();
    net::awaitable<void> receive_body();
    net::awaitable<void> receive_form(const UploadRoute& route);
    void admit();
    void refuse_unknown_path();
    net::awaitable<void> answer_options();
    net::awaitable<void> handle();
    net::awaitable<void> dispatch();
    net::awaitable<void> send_asset(const Asset& asset);
    net::awaitable<void> fail_late(const Reply& failure);
    net::awaitable<void> watch();
    net::awaitable<void> beat();
    void finished();

    std::string head_of(const Reply& reply, std::optional<std::uint64_t> length);
    std::string common_headers(int status);
    net::awaitable<void> send_file(Reply reply);
    net::awaitable<void> write(std::string_view first, std::string_view second = {});
    net::awaitable<void> linger();
    void take_body_budget(std::size_t bytes);

    Shared& shared_;
    net::ip::tcp::socket socket_;
    Deadline deadline_;
    RequestReader reader_;
    net::steady_timer write_free_;  // cancelled to wake who waits for writing_
    std::string peer_;
    std::string local_;

    // Of the request that is served now.
    Call call_;
    Match match_;
    Sent sent_ = Sent::kNothing;
    int status_ = 0;
    bool keep_alive_ = true;
    bool handled_ = false;
    bool chunked_ = true;
    bool writing_ = false;
    bool broken_ = false;  // a write failed: nothing can be said any more
    bool cut_ = false;
    std::size_t body_budget_ = 0;
    Clock::time_point last_write_;
};

}  // namespace jikji::http
