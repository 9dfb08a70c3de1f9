#include "http/client_socket.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/error.hpp"
#include "http/header_value.hpp"
#include "http/json.hpp"
#include "http/reply.hpp"

namespace jikji::http {
namespace {

namespace beast_http = boost::beast::http;
using Clock = std::chrono::steady_clock;

constexpr int kPollMs = 100;
constexpr std::size_t kReadBytes = 64 * 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) found = nullptr;
    return {found, &freeaddrinfo};
}

ErrorCode code_of(std::string_view code, int status) {
    static constexpr ErrorCode kAll[] = {
        ErrorCode::kInvalidArgument, ErrorCode::kUnauthorized,  ErrorCode::kNotFound,
        ErrorCode::kModelNotFound,   ErrorCode::kContextLength, ErrorCode::kUnsupported,
        ErrorCode::kConflict,        ErrorCode::kTooLarge,      ErrorCode::kRejected,
        ErrorCode::kOverloaded,      ErrorCode::kLoading,       ErrorCode::kDiskFull,
        ErrorCode::kStopping,        ErrorCode::kCancelled,     ErrorCode::kTimeout,
    };
    for (const ErrorCode ours : kAll) {
        if (code == face_of(ours).code) return ours;
    }
    if (status == 404) return ErrorCode::kNotFound;
    return status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// The error object in a text, or null.
const json::object* error_in(const json::value& value) {
    const json::object* object = value.if_object();
    const json::value* error = object ? object->if_contains("error") : nullptr;
    return error ? error->if_object() : nullptr;
}

[[noreturn]] void throw_object(const json::object& error, int status) {
    const std::string message = text_of(error, "message");
    throw Error(code_of(text_of(error, "code"), status), message, text_of(error, "param"), message);
}

json::value parsed(std::string_view text) {
    boost::system::error_code failed;  // another program may answer on that port
    json::value value = json::parse(text, failed);
    return failed ? json::value() : value;
}

}  // namespace

ClientSocket::ClientSocket(const ClientOptions& options, const std::string& host,
                           const std::string& port)
    : options_(options) {
    const Addresses found = resolve(host, port);
    int error = EHOSTUNREACH;
    for (const addrinfo* a = found.get(); a; a = a->ai_next) {
        fd_ = Fd(::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd_) continue;
        if (::connect(fd_.get(), a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) {
            error = errno;
            continue;
        }
        short ready = 0;
        wait(POLLOUT, ready);
        socklen_t size = sizeof error;
        ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error == 0) return;
    }
    fail(std::strerror(error));
}

void ClientSocket::fail(std::string_view why) const {
    throw Error(ErrorCode::kInternal,
                fmt::format("no answer from {}: {}; is the server running? Start it with `jikji "
                            "serve`",
                            options_.url, why),
                {},
                fmt::format("{}에서 답이 없습니다({}). 서버가 켜져 있나요? `jikji serve`로 켜세요.",
                            options_.url, why));
}

void ClientSocket::wait(short events, short& ready) {
    const auto until = Clock::now() + options_.timeout;
    while (true) {
        if (options_.poll && !options_.poll())
            throw Error(ErrorCode::kCancelled, "cancelled", {}, "취소했습니다.");
        pollfd item{fd_.get(), events, 0};
        if (::poll(&item, 1, kPollMs) > 0) {
            ready = item.revents;
            return;
        }
        if (Clock::now() > until) fail("it took too long");
    }
}

bool ClientSocket::send(std::string_view bytes) {
    while (!bytes.empty()) {
        short ready = 0;
        wait(POLLOUT | POLLIN, ready);
        if (ready & (POLLIN | POLLHUP | POLLERR)) return false;
        const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string_view ClientSocket::receive() {
    buffer_.resize(kReadBytes);
    while (true) {
        short ready = 0;
        wait(POLLIN, ready);
        const ssize_t count = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (count < 0) fail(std::strerror(errno));
        return {buffer_.data(), static_cast<std::size_t>(count)};
    }
}

namespace {

using Parser = beast_http::response_parser<beast_http::buffer_body>;

/// Feeds `pending` and appends what it holds of the body to `out`.
void parse_some(Parser& parser, std::string& pending, std::string& out) {
    std::string piece(kReadBytes, '\0');
    while (!parser.is_done() && !pending.empty()) {
        auto& body = parser.get().body();
        body.data = piece.data();
        body.size = piece.size();
        body.more = true;
        boost::system::error_code error;
        const std::size_t used = parser.put(boost::asio::buffer(pending), error);
        pending.erase(0, used);
        out.append(piece.data(), piece.size() - body.size);
        if (error == beast_http::error::need_buffer) continue;
        if (error == beast_http::error::need_more) return;
        if (error)
            throw Error(ErrorCode::kInternal,
                        "the server's answer is not HTTP: " + error.message() +
                            "; is another program on that port?",
                        {}, "서버의 답이 HTTP가 아닙니다. 그 포트를 다른 프로그램이 쓰나요?");
    }
}

void take_head(const Parser& parser, Answer& answer) {
    answer.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get())
        answer.headers.emplace_back(
            lower(std::string_view(field.name_string().data(), field.name_string().size())),
            std::string(field.value()));
    answer.content_type = answer.header("content-type");
}

}  // namespace

std::string Answer::header(std::string_view name) const {
    for (const auto& [key, value] : headers) {
        if (key == name) return value;
    }
    return {};
}

Answer read_answer(ClientSocket& socket, std::string_view method,
                   const std::function<bool(std::string_view)>& on_body) {
    auto parser = std::make_unique<Parser>();
    const auto prepare = [&] {
        parser->eager(true);
        parser->body_limit(boost::none);
        parser->header_limit(1024 * 1024);
        parser->skip(method == "HEAD");
    };
    prepare();
    Answer answer;
    std::string pending, body;
    while (!parser->is_done()) {
        const std::string_view bytes = socket.receive();
        pending += bytes;
        if (bytes.empty()) {
            boost::system::error_code error;
            parser->put_eof(error);
            if (!error && parser->is_done()) break;
            throw Error(ErrorCode::kInternal, "the server closed before its answer was complete",
                        {}, "서버가 답을 마치기 전에 연결을 닫았습니다.");
        }
        parse_some(*parser, pending, body);
        if (parser->is_header_done() && parser->get().result_int() < 200) {  // 100 Continue
            parser = std::make_unique<Parser>();
            prepare();
            parse_some(*parser, pending, body);
        }
        if (!parser->is_header_done()) continue;
        if (answer.status == 0) take_head(*parser, answer);
        if (on_body && answer.status < 400 && !on_body(std::exchange(body, {}))) break;
    }
    if (answer.status == 0 && parser->is_header_done()) take_head(*parser, answer);
    answer.body = std::move(body);
    return answer;
}

void throw_for(const Answer& answer) {
    if (answer.status < 400) return;
    const json::value value = parsed(answer.body);
    if (const json::object* error = error_in(value)) throw_object(*error, answer.status);
    throw Error(code_of({}, answer.status), fmt::format("the server answered {}", answer.status),
                {}, fmt::format("서버가 {}(으)로 답했습니다.", answer.status));
}

void throw_for_event(std::string_view text) {
    if (!text.starts_with("{\"error\"")) return;
    const json::value value = parsed(text);
    if (const json::object* error = error_in(value)) throw_object(*error, 500);
}

}  // namespace jikji::http
