#include "http/connection.hpp"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/ids.hpp"
#include "base/log.hpp"
#include "http/form_sink.hpp"
#include "http/problem.hpp"

namespace jikji::http {
namespace {

using namespace net::experimental::awaitable_operators;

constexpr std::size_t kBodyPieceBytes = 64 * 1024;
constexpr std::size_t kFormPieceBytes = 256 * 1024;
constexpr std::size_t kBodyMemoryBytes = 512ull * 1024 * 1024;  // of all requests that run
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Error body_too_large(std::uint64_t limit) {
    return Error(ErrorCode::kTooLarge,
                 fmt::format("the body is larger than {} bytes; send less", limit), {},
                 fmt::format("본문이 {}바이트를 넘습니다. 줄여서 보내세요.", limit));
}

std::string address_of(const boost::system::error_code& error,
                       const net::ip::tcp::endpoint& endpoint) {
    return error ? std::string() : endpoint.address().to_string();
}

}  // namespace

Connection::Connection(Shared& shared, net::ip::tcp::socket socket)
    : shared_(shared),
      socket_(std::move(socket)),
      deadline_(socket_),
      reader_(socket_, deadline_, shared.options.limits),
      write_free_(socket_.get_executor(), net::steady_timer::time_point::max()) {
    boost::system::error_code error;
    const auto remote = socket_.remote_endpoint(error);
    peer_ = address_of(error, remote);
    const auto local = socket_.local_endpoint(error);
    local_ = address_of(error, local);
    socket_.set_option(net::ip::tcp::no_delay(true), error);
    shared_.connections.insert(this);
    ++shared_.connection_count;
}

Connection::~Connection() {
    shared_.connections.erase(this);
    --shared_.connection_count;
    shared_.body_bytes -= body_budget_;
    if (shared_.stopping && shared_.connections.empty()) shared_.drain.cancel();
}

net::awaitable<void> Connection::run() {
    try {
        bool first = true;
        while (co_await serve_one(first)) first = false;
        if (!broken_ && !cut_ && !reader_.idle() && !reader_.ended()) co_await linger();
    } catch (const boost::system::system_error&) {  // the client left; nobody to tell
    } catch (const std::exception& error) {
        log_error(call_.request_id, error.what());
    }
}

net::awaitable<void> Connection::turn_away() {
    call_.request_id = make_id("req_");
    keep_alive_ = false;
    const Problem full(503, "too_many_connections",
                       "the server has too many connections; try again later",
                       "서버의 연결이 너무 많습니다. 잠시 뒤에 다시 시도하세요.");
    try {
        co_await send(full.reply(Language::kEnglish));
        co_await linger();
    } catch (const boost::system::system_error&) {  // the client left
    }
}

void Connection::stop_when_idle() {
    keep_alive_ = false;
    boost::system::error_code ignored;
    if (reader_.idle()) socket_.cancel(ignored);
}

void Connection::cut() {
    cut_ = true;
    call_.left->store(true);
    boost::system::error_code ignored;
    socket_.cancel(ignored);
}

/// One request and its answer; false if it was the last one.
net::awaitable<bool> Connection::serve_one(bool first) {
    shared_.body_bytes -= std::exchange(body_budget_, 0);
    call_ = Call{};
    call_.request_id = make_id("req_");
    call_.peer = peer_;
    match_ = {};
    sent_ = Sent::kNothing;
    handled_ = false;
    keep_alive_ = false;  // until a head was understood
    const ServerLimits& limits = shared_.options.limits;
    std::optional<Reply> refusal;
    try {
        if (!co_await reader_.read_head(first ? limits.header_time : limits.idle_time))
            co_return false;
        co_await receive();
    } catch (const Problem& problem) {
        refusal = problem.reply(call_.language);
    } catch (const boost::system::system_error&) {
        throw;
    } catch (const std::exception& error) {
        refusal = error_reply(error, call_.request_id, call_.language);
    }
    if (call_.start == Clock::time_point()) call_.start = Clock::now();
    if (!refusal) {
        co_await (handle() || watch() || beat());
    } else {
        if (!reader_.body_done()) keep_alive_ = false;
        co_await send(*std::move(refusal));
    }
    finished();
    co_return keep_alive_ && !shared_.stopping && !broken_ && !cut_;
}

/// Everything that is asked of a request before its handler runs, cheapest first: what is refused
/// here has cost no body.
net::awaitable<void> Connection::receive() {
    const Head& head = reader_.head();
    call_.start = Clock::now();
    call_.method = head.method;
    call_.path = head.path;
    call_.headers = head.headers;
    call_.language = language_of_header(head.header("accept-language"));
    chunked_ = head.version >= 11;
    keep_alive_ = head.keep_alive && !shared_.stopping;
    admit();
    if (head.has_body() && head.expects_continue) co_await write(kContinue);
    const auto* upload = match_.route ? std::get_if<UploadRoute>(&match_.route->handler) : nullptr;
    if (upload) {
        co_await receive_form(*upload);
    } else {
        co_await receive_body();
    }
}

void Connection::admit() {
    const Head& head = reader_.head();
    shared_.gate.check_host(head, local_);
    if (head.path != "*") match_ = shared_.router.find(head.method, head.path);
    call_.query = parse_query(head.query);
    // A path that is not there needs a key too: without one, nothing can be learned.
    const bool open = match_.route && match_.route->access == Access::kOpen;
    call_.principal = open ? "open" : shared_.gate.principal(head);
    call_.tenant = "local";
    shared_.gate.check_origin(head);
    if (!match_.route) return refuse_unknown_path();
    call_.parameters = match_.parameters;
    Gate::check_content_type(head, *match_.route);
}

void Connection::refuse_unknown_path() {
    const Head& head = reader_.head();
    if (head.method == "OPTIONS" && (head.path == "*" || !match_.allow.empty())) return;
    const std::string shown = head.path.substr(0, 200);
    if (match_.allow.empty())
        throw Problem(
            404, "unsupported_endpoint",
            fmt::format("there is no {} here; see docs/api.md for the paths", shown),
            fmt::format("{} 경로가 없습니다. 쓸 수 있는 경로는 docs/api.md에 있습니다.", shown));
    throw Problem(405, "method_not_allowed",
                  fmt::format("{} does not take {}; use {}", shown, head.method, match_.allow),
                  fmt::format("{} 경로는 {} 방식을 받지 않습니다. {} 중에서 쓰세요.", shown,
                              head.method, match_.allow))
        .with_header("allow", match_.allow);
}

void Connection::take_body_budget(std::size_t bytes) {
    if (shared_.body_bytes + bytes > kBodyMemoryBytes)
        throw Error(ErrorCode::kOverloaded,
                    "the server holds too many large requests; try again later", {},
                    "큰 요청이 너무 많습니다. 잠시 뒤에 다시 시도하세요.");
    shared_.body_bytes += bytes;
    body_budget_ += bytes;
}

net::awaitable<void> Connection::receive_body() {
    const std::size_t limit = shared_.options.limits.json_body_bytes;
    if (reader_.head().content_length.value_or(0) > limit) throw body_too_large(limit);
    std::string& body = call_.body;
    while (!reader_.body_done()) {
        const std::size_t before = body.size();
        take_body_budget(kBodyPieceBytes);
        body.resize(before + kBodyPieceBytes);
        const std::size_t got = co_await reader_.read_body(body.data() + before, kBodyPieceBytes);
        body.resize(before + got);
        if (body.size() > limit) throw body_too_large(limit);
    }
}

net::awaitable<void> Connection::receive_form(const UploadRoute& route) {
    // A form adds a few hundred bytes to its file.
    const std::uint64_t limit = route.bytes_max + FormSink::kFieldBytes;
    if (reader_.head().content_length.value_or(0) > limit) throw body_too_large(route.bytes_max);
    FormSink sink(route);
    const std::string boundary =
        multipart_boundary(reader_.head().header("content-type")).value_or("");
    MultipartParser parser(boundary, sink);
    std::string piece;
    std::uint64_t total = 0;
    while (true) {
        piece.resize(kFormPieceBytes);
        std::size_t filled = 0;
        while (filled < piece.size()) {
            const std::size_t got =
                co_await reader_.read_body(piece.data() + filled, piece.size() - filled);
            if (got == 0) break;
            filled += got;
        }
        if (filled == 0) break;
        total += filled;
        if (total > limit) throw body_too_large(route.bytes_max);
        piece.resize(filled);
        std::function<void()> feed = [&parser, &piece] { parser.feed(piece); };
        co_await shared_.workers.run(call_.principal, std::move(feed));
    }
    parser.finish();
    call_.form = sink.take();
}

net::awaitable<void> Connection::answer_options() {
    Reply reply;
    reply.status = 204;
    reply.headers.emplace_back("allow", match_.allow);
    co_await send(std::move(reply));
}

net::awaitable<void> Connection::dispatch() {
    if (!match_.route) {
        co_await answer_options();
        co_return;
    }
    const auto& handler = match_.route->handler;
    Responder responder(*this, shared_.workers, call_.principal);
    if (const auto* streaming = std::get_if<StreamingHandler>(&handler)) {
        co_await (*streaming)(call_, responder);
        if (sent_ == Sent::kStream) co_await end_stream();
        JIKJI_CHECK(started());
        co_return;
    }
    if (const auto* asset = std::get_if<Asset>(&handler)) {
        co_await send_asset(*asset);
        co_return;
    }
    const auto* upload = std::get_if<UploadRoute>(&handler);
    const BlockingHandler& blocking = upload ? upload->handler : std::get<BlockingHandler>(handler);
    Reply reply;
    std::function<void()> work = [this, &blocking, &reply] { reply = blocking(call_); };
    co_await shared_.workers.run(call_.principal, std::move(work));
    co_await send(std::move(reply));
}

net::awaitable<void> Connection::handle() {
    std::optional<Reply> failure;  // sent below: co_await is not allowed in a catch block
    try {
        co_await dispatch();
    } catch (const std::exception& error) {
        if (!broken_ && !cut_) failure = error_reply(error, call_.request_id, call_.language);
    }
    if (failure) {
        try {
            co_await fail_late(*failure);
        } catch (const std::exception&) {  // the client left meanwhile
        }
    }
    handled_ = true;
}

/// After the first byte the status is spent: a stream gets the error as its last event.
net::awaitable<void> Connection::fail_late(const Reply& failure) {
    if (sent_ == Sent::kNothing) {
        co_await send(failure);
    } else if (sent_ == Sent::kStream) {
        co_await send_chunk("data: " + failure.body + "\n\n");
        co_await end_stream();
    } else {
        keep_alive_ = false;
    }
}

/// Ends when the client leaves, which cancels the handler beside it. It returns and does not
/// throw: with ||, an exception would wait for the handler. A client that only ended its own side
/// looks the same as one that left: a stream ends, other answers are still tried.
net::awaitable<void> Connection::watch() {
    const boost::system::error_code error = co_await reader_.read_ahead();
    if (handled_) co_return;
    call_.left->store(true);
    keep_alive_ = false;
    const bool stream =
        match_.route && std::holds_alternative<StreamingHandler>(match_.route->handler);
    if (error == net::error::eof && !stream) {
        boost::system::error_code ignored;
        net::steady_timer never(socket_.get_executor(), Clock::time_point::max());
        co_await never.async_wait(net::redirect_error(net::use_awaitable, ignored));
        co_return;
    }
    broken_ = true;
}

/// Comments that keep proxies and clients patient, and that show a client which left in silence.
net::awaitable<void> Connection::beat() {
    net::steady_timer timer(socket_.get_executor());
    const Clock::duration every = shared_.options.limits.heartbeat;
    boost::system::error_code error;
    timer.expires_after(every);
    while (true) {
        co_await timer.async_wait(net::redirect_error(net::use_awaitable, error));
        if (error) co_return;
        const bool quiet = Clock::now() - last_write_ >= every;
        if (sent_ == Sent::kStream && quiet && !writing_) {
            try {
                co_await send_chunk(": \n\n");
            } catch (const boost::system::system_error&) {
                co_return;  // the write marked it
            }
        }
        timer.expires_at(quiet ? Clock::now() + every : last_write_ + every);
    }
}

void Connection::finished() {
    const std::chrono::duration<double> took = Clock::now() - call_.start;
    const int status = call_.left->load() && sent_ != Sent::kAll ? 499 : status_;
    // Both arms must be views: one of them a literal, the whole would be a temporary string.
    const std::string_view route =
        match_.route ? std::string_view(match_.route->pattern) : "unknown";
    log_info(fmt::format("{} {} {} {} {:.1f} ms", call_.request_id, call_.method, route, status,
                         took.count() * 1e3));
    if (shared_.options.on_finished)
        shared_.options.on_finished({call_.method, route, status, took.count()});
}

}  // namespace jikji::http
