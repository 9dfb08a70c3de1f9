#include "http/responder.hpp"

#include "base/error.hpp"
#include "http/connection.hpp"

namespace jikji::http {

net::awaitable<void> Sse::send(std::string_view json, std::string_view event) {
    JIKJI_CHECK(json.find('\n') == json.npos && event.find('\n') == event.npos);
    std::string text;
    if (!event.empty()) text.append("event: ").append(event).append("\n");
    text.append("data: ").append(json).append("\n\n");
    co_await connection_->send_chunk(text);
}

net::awaitable<void> Sse::comment(std::string_view text) {
    JIKJI_CHECK(text.find('\n') == text.npos);
    const std::string line = ": " + std::string(text) + "\n\n";
    co_await connection_->send_chunk(line);
}

net::awaitable<void> Sse::done() {
    co_await send("[DONE]");
    co_await connection_->end_stream();
}

net::awaitable<void> Sse::close() { co_await connection_->end_stream(); }

net::awaitable<void> Responder::send(Reply reply) { co_await connection_->send(std::move(reply)); }

net::awaitable<Sse> Responder::open_sse(std::vector<std::pair<std::string, std::string>> headers) {
    co_await connection_->open_stream(std::move(headers));
    co_return Sse(*connection_);
}

bool Responder::started() const { return connection_->started(); }

Bell Responder::make_bell() const { return Bell(connection_->executor()); }

}  // namespace jikji::http
