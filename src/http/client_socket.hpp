#pragma once
// Private to http: the client's blocking socket and the answers that come out of it.
#include <functional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "http/client.hpp"

namespace jikji::http {

/// One connection for one request. Every wait is at most 100 ms long, then asks options.poll.
class ClientSocket {
public:
    ClientSocket(const ClientOptions& options, const std::string& host, const std::string& port);

    /// False if the server answered (or closed) before everything was sent: read its answer.
    bool send(std::string_view bytes);
    /// At most 64 KB; empty at the end. Valid until the next call.
    std::string_view receive();

private:
    void wait(short events, short& ready);
    [[noreturn]] void fail(std::string_view why) const;

    const ClientOptions& options_;
    Fd fd_;
    std::string buffer_;
};

/// Reads the whole answer. `on_body`, if given, takes the body of an answer below 400 instead of
/// Answer::body; false from it ends the reading.
Answer read_answer(ClientSocket& socket, std::string_view method,
                   const std::function<bool(std::string_view)>& on_body = {});

/// Throws what an answer of 400 or more says.
void throw_for(const Answer& answer);
/// Throws if the text is an error object.
void throw_for_event(std::string_view json);

}  // namespace jikji::http
