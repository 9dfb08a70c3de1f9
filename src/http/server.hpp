#pragma once
// The HTTP/1.1 server: one IO thread, a coroutine per connection, a small pool for blocking work.
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "http/router.hpp"

namespace jikji::http {

using Milliseconds = std::chrono::milliseconds;

/// Shorter in tests; else as base/limits.hpp says.
struct ServerLimits {
    std::size_t header_bytes = limits::kHeaderBytes;
    std::size_t json_body_bytes = limits::kJsonBodyBytes;
    Milliseconds header_time = limits::kHeaderTime;  // also the head start of a body
    Milliseconds idle_time = limits::kIdleTime;
    Milliseconds write_time = limits::kWriteTime;
    Milliseconds heartbeat = limits::kHeartbeat;
    Milliseconds drain_time{10'000};  // from stop() until what still runs is cut off
    std::size_t body_bytes_per_second = limits::kBodyBytesPerSecond;
    int connections = limits::kConnections;
    std::size_t send_buffer_bytes = 64 * 1024;  // of a stream: a larger one hides a dead reader
};

/// One answered request, for metrics. `route` is the pattern, so its values are few.
struct Finished {
    std::string_view method;
    std::string_view route;  // "unknown" if none
    int status = 0;          // 499 if the client left first
    double seconds = 0;
};

struct ServerOptions {
    std::string host = "127.0.0.1";  // an address to bind; not a loopback one only with a key
    int port = 8080;                 // 0: any free one
    std::vector<std::string> api_key_hashes;  // sha256_hex of each key; empty: no key is asked for
    std::vector<std::string> allowed_hosts;   // names beside localhost, 127.0.0.1, [::1] and `host`
    bool stop_on_signals = false;             // SIGINT and SIGTERM call stop()
    int workers = 4;
    ServerLimits limits;
    std::function<void()>
        on_stopping;  // once, on the IO thread, when stop() begins; must not block
    std::function<void(const Finished&)> on_finished;  // on the IO thread; must not block
};

class Server {
public:
    /// The router must outlive the server and stay as it is.
    Server(ServerOptions options, const Router& router);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Binds. Throws Error(kConflict) if the port is taken, Error(kInvalidArgument) for an address
    /// that is not ours, or one that others can reach while there is no key.
    /// With stop_on_signals SIGINT and SIGTERM are caught from here on, and obeyed by run().
    void listen();
    int port() const;  // requires: listen()
    /// Serves on the calling thread until stop() has done its work. Requires: listen().
    void run();
    /// Any thread. Takes no new connections, lets running requests finish for drain_time, then
    /// cuts them.
    void stop();
    int connections() const;  // any thread

private:
    class Core;
    std::unique_ptr<Core> core_;
};

}  // namespace jikji::http
