#pragma once
// How a handler answers: one reply, or a stream of server-sent events.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/bell.hpp"
#include "http/offload.hpp"
#include "http/reply.hpp"

namespace jikji::http {

class Connection;

/// An open event stream. While the handler waits, comments are sent every limits::kHeartbeat by
/// themselves. A send that fails (the client left, or reads nothing) throws
/// boost::system::system_error: let it pass, there is nobody to tell. A handle; copies are the
/// same.
class Sse {
public:
    explicit Sse(Connection& connection) : connection_(&connection) {}

    /// "data: JSON", with an "event: NAME" line before it if a name is given. No line ends inside.
    net::awaitable<void> send(std::string_view json, std::string_view event = {});
    net::awaitable<void> comment(std::string_view text = {});
    /// "data: [DONE]", and the end of the stream.
    net::awaitable<void> done();
    /// The end without [DONE].
    net::awaitable<void> close();

private:
    Connection* connection_;
};

/// Valid while the handler runs.
class Responder {
public:
    /// `owner`: whose work it is, for its turn among the workers.
    Responder(Connection& connection, Workers& workers, std::string owner)
        : connection_(&connection), workers_(&workers), owner_(std::move(owner)) {}

    /// Once, and not after open_sse().
    net::awaitable<void> send(Reply reply);
    /// Spends the status (200): what fails from here on travels as a last event.
    /// `headers` come with the stream's own; names in lower case.
    net::awaitable<Sse> open_sse(std::vector<std::pair<std::string, std::string>> headers = {});
    bool started() const;  // something was sent

    Bell make_bell() const;
    template <typename Work>
    auto offload(Work work) {
        return http::offload(*workers_, owner_, std::move(work));
    }

private:
    Connection* connection_;
    Workers* workers_;
    std::string owner_;
};

}  // namespace jikji::http
