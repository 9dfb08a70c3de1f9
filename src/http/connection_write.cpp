// The half of Connection that writes.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "http/connection.hpp"
#include "http/header_value.hpp"

namespace jikji::http {
namespace {

constexpr std::size_t kFilePieceBytes = 256 * 1024;
constexpr std::size_t kLingerBytes = 64 * 1024 * 1024;
constexpr auto kLingerTime = std::chrono::seconds(2);

std::string http_date() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&now, &parts);
    char text[40];
    const std::size_t size = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    return {text, size};
}

std::string reason_of(int status) {
    if (status == 499) return "Client Closed Request";
    const auto text = boost::beast::http::obsolete_reason(
        boost::beast::http::int_to_status(static_cast<unsigned>(status)));
    return {text.data(), text.size()};
}

/// A handler's header must not end the line and begin another one.
std::string one_line(std::string_view value) {
    std::string out(value);
    std::erase_if(out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    return out;
}

}  // namespace

std::string Connection::common_headers(int status) {
    const auto ms = std::chrono::duration_cast<Milliseconds>(Clock::now() - call_.start).count();
    std::string out = fmt::format(
        "HTTP/1.1 {} {}\r\ndate: {}\r\nx-request-id: {}\r\nopenai-version: 2020-10-01\r\n"
        "openai-processing-ms: {}\r\nx-content-type-options: nosniff\r\n",
        status, reason_of(status), http_date(), call_.request_id,
        call_.start == Clock::time_point() ? 0 : ms);
    out += keep_alive_ ? "connection: keep-alive\r\n" : "connection: close\r\n";
    return out;
}

std::string Connection::head_of(const Reply& reply, std::optional<std::uint64_t> length) {
    std::string out = common_headers(reply.status);
    bool cached = false;
    for (const auto& [name, value] : reply.headers) {
        out += fmt::format("{}: {}\r\n", name, one_line(value));
        cached |= name == "cache-control";
    }
    if (!cached) out += "cache-control: no-store\r\n";
    if (length) {
        out += fmt::format("content-type: {}\r\ncontent-length: {}\r\n",
                           one_line(reply.content_type), *length);
    }
    return out + "\r\n";
}

net::awaitable<void> Connection::send(Reply reply) {
    JIKJI_CHECK(sent_ == Sent::kNothing);
    if (reply.file) {
        co_await send_file(std::move(reply));
        co_return;
    }
    sent_ = Sent::kAll;
    status_ = reply.status;
    const bool bodiless = reply.status == 204 || reply.status == 304;
    const std::string head =
        head_of(reply, bodiless ? std::nullopt : std::optional<std::uint64_t>(reply.body.size()));
    co_await write(head, bodiless || call_.method == "HEAD" ? std::string_view() : reply.body);
}

net::awaitable<void> Connection::send_file(Reply reply) {
    const Fd file(::open(reply.file->c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode))
        throw Error(ErrorCode::kNotFound, "the file's content is gone", {},
                    "파일의 내용이 더 이상 없습니다.");
    auto left = static_cast<std::uint64_t>(info.st_size);
    sent_ = Sent::kAll;
    status_ = reply.status;
    const std::string head = head_of(reply, left);
    co_await write(head);
    if (call_.method == "HEAD") co_return;
    std::string piece;
    while (left > 0) {
        piece.resize(std::min<std::uint64_t>(left, kFilePieceBytes));
        ssize_t count = 0;
        std::function<void()> read = [&] {
            count = ::read(file.get(), piece.data(), piece.size());
        };
        co_await shared_.workers.run(call_.principal, std::move(read));
        if (count <= 0) {  // it shrank: the promised length cannot be kept
            keep_alive_ = false;
            broken_ = true;
            co_return;
        }
        piece.resize(static_cast<std::size_t>(count));
        left -= piece.size();
        co_await write(piece);
    }
}

net::awaitable<void> Connection::send_asset(const Asset& asset) {
    Reply reply;
    reply.content_type = asset.content_type;
    reply.headers.emplace_back("etag", asset.etag);
    reply.headers.emplace_back("cache-control", "no-cache");  // kept, but asked for with the ETag
    reply.headers.emplace_back("content-security-policy", asset.content_security_policy);
    reply.headers.emplace_back("referrer-policy", "no-referrer");
    reply.headers.emplace_back("vary", "accept-encoding");
    const bool compressed =
        !asset.gzip.empty() &&
        (asset.bytes.empty() || has_token(call_.header("accept-encoding"), "gzip"));
    if (compressed) reply.headers.emplace_back("content-encoding", "gzip");
    const std::string held = call_.header("if-none-match");
    if (has_token(held, asset.etag) || held == "*") {
        reply.status = 304;
    } else {
        reply.body = compressed ? asset.gzip : asset.bytes;
    }
    co_await send(std::move(reply));
}

net::awaitable<void> Connection::open_stream(
    std::vector<std::pair<std::string, std::string>> headers) {
    JIKJI_CHECK(sent_ == Sent::kNothing);
    sent_ = Sent::kStream;
    status_ = 200;
    if (!chunked_) keep_alive_ = false;  // HTTP/1.0: the end of the connection is the end
    // With the default buffer the kernel swallows seconds of events for a reader that is dead.
    boost::system::error_code ignored;
    const auto bytes = static_cast<int>(shared_.options.limits.send_buffer_bytes);
    socket_.set_option(net::socket_base::send_buffer_size(bytes), ignored);
    std::string head = common_headers(200);
    head +=
        "content-type: text/event-stream; charset=utf-8\r\ncache-control: no-store\r\n"
        "x-accel-buffering: no\r\n";
    for (const auto& [name, value] : headers) {
        head += fmt::format("{}: {}\r\n", name, one_line(value));
    }
    if (chunked_) head += "transfer-encoding: chunked\r\n";
    head += "\r\n";
    co_await write(head);
    co_await send_chunk(": \n\n");
}

net::awaitable<void> Connection::send_chunk(std::string_view text) {
    const std::string framed =
        chunked_ ? fmt::format("{:x}\r\n{}\r\n", text.size(), text) : std::string(text);
    co_await write(framed);
}

net::awaitable<void> Connection::end_stream() {
    if (sent_ != Sent::kStream) co_return;
    if (chunked_) co_await write("0\r\n\r\n");
    sent_ = Sent::kAll;
}

/// Everything or system_error. The time limit is for each step, so that a large answer to a slow
/// reader passes and one that reads nothing is cut.
net::awaitable<void> Connection::write(std::string_view first, std::string_view second) {
    while (writing_) {  // a comment is on its way
        boost::system::error_code woken;
        co_await write_free_.async_wait(net::redirect_error(net::use_awaitable, woken));
    }
    if (broken_ || cut_) throw boost::system::system_error(net::error::connection_aborted);
    writing_ = true;
    boost::system::error_code error;
    while (!error && !(first.empty() && second.empty())) {
        deadline_.arm(shared_.options.limits.write_time);
        const std::array<net::const_buffer, 2> parts = {net::buffer(first), net::buffer(second)};
        const std::size_t count = co_await socket_.async_write_some(
            parts, net::redirect_error(net::use_awaitable, error));
        const std::size_t of_first = std::min(count, first.size());
        first.remove_prefix(of_first);
        second.remove_prefix(count - of_first);
    }
    deadline_.disarm();
    writing_ = false;
    write_free_.cancel();
    last_write_ = Clock::now();
    if (!error) co_return;
    broken_ = true;  // a part may be out: nothing more can be said
    call_.left->store(true);
    throw boost::system::system_error(error);
}

/// Closing with unread bytes would reset the connection and could take the answer with it.
net::awaitable<void> Connection::linger() {
    boost::system::error_code error;
    socket_.shutdown(net::ip::tcp::socket::shutdown_send, error);
    deadline_.arm(kLingerTime);
    std::string waste(64 * 1024, '\0');
    std::size_t total = 0;
    while (!error && total < kLingerBytes) {
        total += co_await socket_.async_read_some(net::buffer(waste),
                                                  net::redirect_error(net::use_awaitable, error));
    }
    deadline_.disarm();
}

}  // namespace jikji::http
