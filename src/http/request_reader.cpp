#include "http/request_reader.hpp"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include "http/header_value.hpp"
#include "http/problem.hpp"

namespace jikji::http {

namespace beast_http = boost::beast::http;

struct RequestReader::Parser {
    beast_http::request_parser<beast_http::buffer_body> request;
};

namespace {

constexpr std::size_t kHeadReadBytes = 4 * 1024;
constexpr std::size_t kBodyReadBytes = 64 * 1024;

Problem too_slow() {
    return {408, "request_timeout", "the request came too slowly; send it again",
            "요청이 너무 느리게 왔습니다. 다시 보내세요."};
}

Problem head_too_large(std::size_t limit) {
    return {431, "headers_too_large",
            fmt::format("the request's head is larger than {} bytes; shorten it", limit),
            fmt::format("요청 헤더가 {}바이트를 넘습니다. 줄여서 보내세요.", limit)};
}

std::string lower_name(boost::beast::string_view name) {
    return lower(std::string_view(name.data(), name.size()));
}

}  // namespace

RequestReader::RequestReader(net::ip::tcp::socket& socket, Deadline& deadline,
                             const ServerLimits& limits)
    : socket_(socket), deadline_(deadline), limits_(limits) {}

RequestReader::~RequestReader() = default;

net::awaitable<std::size_t> RequestReader::read_more(std::size_t room,
                                                     boost::system::error_code& error) {
    error = net::error::eof;
    if (ended_) co_return 0;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + room);
    const std::size_t count = co_await socket_.async_read_some(
        net::buffer(buffer_.data() + before, room), net::redirect_error(net::use_awaitable, error));
    buffer_.resize(before + count);
    ended_ = error == net::error::eof;
    co_return count;
}

net::awaitable<bool> RequestReader::read_head(Milliseconds first_byte_time) {
    parser_.reset();
    head_ = {};
    idle_ = buffer_.empty();
    deadline_.arm(idle_ ? first_byte_time : limits_.header_time);
    HeadScanner scanner;
    while (true) {
        if (buffer_.starts_with("\r\n")) {  // RFC 9112, 2.2: an empty line may come first
            buffer_.erase(0, 2);
            scanner = {};
        }
        const std::optional<std::size_t> size = scanner.scan(buffer_);
        if (size.value_or(buffer_.size()) > limits_.header_bytes)
            throw head_too_large(limits_.header_bytes);
        if (size) {
            deadline_.disarm();
            parse_head(*size);
            co_return true;
        }
        boost::system::error_code error;
        if (co_await read_more(kHeadReadBytes, error) == 0 || error) {
            if (deadline_.expired() && !idle_) throw too_slow();
            co_return false;
        }
        if (idle_) deadline_.arm(limits_.header_time);
        idle_ = false;
    }
}

void RequestReader::parse_head(std::size_t size) {
    parser_ = std::make_unique<Parser>();
    auto& request = parser_->request;
    request.header_limit(static_cast<std::uint32_t>(limits_.header_bytes) + 1024);
    request.body_limit(boost::none);  // ours depends on the route
    boost::system::error_code error;
    request.put(net::buffer(buffer_.data(), size), error);
    if (error) throw malformed_http(error.message(), error.message());
    buffer_.erase(0, size);
    const auto& message = request.get();
    head_.version = static_cast<int>(message.version());
    head_.method = std::string(message.method_string());
    head_.target = std::string(message.target());
    for (const auto& field : message)
        head_.headers.add(lower_name(field.name_string()), std::string(field.value()));
    if (const auto length = request.content_length()) head_.content_length = *length;
    request.eager(true);
    body_bytes_ = 0;
    body_start_ = Clock::now();
    finish_head(head_);
}

bool RequestReader::body_done() const { return parser_ && parser_->request.is_done(); }

/// Takes from the buffer what it can; 0 if it needs more bytes or the body is complete.
std::size_t RequestReader::parse_body(char* out, std::size_t size) {
    auto& body = parser_->request.get().body();
    body.data = out;
    body.size = size;
    body.more = true;
    boost::system::error_code error;
    const std::size_t used = parser_->request.put(net::buffer(buffer_), error);
    buffer_.erase(0, used);
    const bool wants = error == beast_http::error::need_more;
    if (error && !wants && error != beast_http::error::need_buffer)
        throw malformed_http(error.message(), error.message());
    if (wants && used == 0 && buffer_.size() > kAheadBytes)
        throw malformed_http("a chunk's head is too long", "청크의 머리가 너무 깁니다");
    return size - body.size;
}

/// At least body_bytes_per_second since the body's start, plus a head start: a limit that moved
/// with every byte would let one byte a minute through.
void RequestReader::arm_for_body() {
    const double seconds =
        static_cast<double>(body_bytes_) / static_cast<double>(limits_.body_bytes_per_second);
    const auto earned = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(std::min(seconds, 1e6)));
    deadline_.arm_at(body_start_ + limits_.header_time + earned);
}

net::awaitable<std::size_t> RequestReader::read_body(char* out, std::size_t size) {
    while (!body_done()) {
        const std::size_t got = buffer_.empty() ? 0 : parse_body(out, size);
        body_bytes_ += got;
        if (got > 0) co_return got;
        if (body_done()) break;
        arm_for_body();
        boost::system::error_code error;
        co_await read_more(kBodyReadBytes, error);
        deadline_.disarm();
        if (error && deadline_.expired()) throw too_slow();
        if (error == net::error::eof)
            throw malformed_http("its body ends early", "본문이 도중에 끝났습니다");
        if (error) throw boost::system::system_error(error);
    }
    co_return 0;
}

net::awaitable<boost::system::error_code> RequestReader::read_ahead() {
    boost::system::error_code error;
    while (!error && buffer_.size() < kAheadBytes) co_await read_more(kHeadReadBytes, error);
    co_return error;
}

}  // namespace jikji::http
