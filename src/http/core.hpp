#pragma once
// Private to http: what all connections of a server share.
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_set>

#include "http/gate.hpp"
#include "http/offload.hpp"
#include "http/server.hpp"

namespace jikji::http {

class Connection;

struct Shared {
    Shared(ServerOptions given, const Router& routes)
        : options(std::move(given)),
          router(routes),
          gate(options.api_key_hashes, hosts_of(options)),
          workers(options.workers, limits::kQueueLength) {}

    static std::vector<std::string> hosts_of(const ServerOptions& options) {
        std::vector<std::string> hosts = options.allowed_hosts;
        hosts.push_back(options.host);
        return hosts;
    }

    ServerOptions options;
    const Router& router;
    Gate gate;
    net::io_context io{1};
    Workers workers;  // after io: its threads post to it until they are joined
    std::unordered_set<Connection*> connections;
    std::atomic<int> connection_count{0};
    std::size_t body_bytes = 0;  // in memory now, all connections together
    bool stopping = false;
    net::steady_timer drain{io};  // runs while the server stops and connections are left
};

}  // namespace jikji::http
