#pragma once
// Which handler answers which method and path. Filled once, before the server runs; read-only
// after.
//
// Patterns  "/v1/models/{id}": {id} takes one raw segment (org%2Fmodel is one) and is decoded after
//           the match. What begins with /v1 is found without it as well.
// Access    every route states it; a route cannot be added without.
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/limits.hpp"
#include "http/call.hpp"
#include "http/reply.hpp"
#include "http/responder.hpp"

namespace jikji::http {

enum class Access {
    kKey,   // needs an API key, if the server has any
    kOpen,  // for everyone who reaches the port
};

/// Runs on the worker pool; may block. Throws Error for what is wrong.
using BlockingHandler = std::function<Reply(Call&)>;
/// Runs on the IO thread; must not block (Responder::offload). Throws Error before the first byte.
/// Cancelled when the client leaves: the next co_await throws boost::system::system_error.
using StreamingHandler = std::function<net::awaitable<void>(Call&, Responder&)>;

/// A multipart/form-data route: files are written where new_path says before the handler runs.
struct UploadRoute {
    std::function<std::filesystem::path()> new_path;  // any thread; a name that is not yet used
    BlockingHandler handler;
    std::uint64_t bytes_max = limits::kUploadBytes;
};

/// Bytes that live as long as the program.
struct Asset {
    std::string_view bytes;  // empty if there is only the compressed copy
    std::string_view gzip;   // the same bytes compressed; empty if there is no such copy
    std::string_view content_type;
    std::string_view etag;  // with its quotes
    std::string_view content_security_policy =
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
};

struct Route {
    std::string method;
    std::string pattern;
    std::vector<std::string> segments;
    Access access;
    std::variant<BlockingHandler, StreamingHandler, UploadRoute, Asset> handler;
};

/// What the router says about a path.
struct Match {
    const Route* route = nullptr;
    Pairs parameters;
    std::string allow;  // methods of the path, if it is known and the method is not
};

class Router {
public:
    void add_blocking(std::string method, std::string pattern, Access access,
                      BlockingHandler handler);
    void add_streaming(std::string method, std::string pattern, Access access,
                       StreamingHandler handler);
    void add_upload(std::string method, std::string pattern, Access access, UploadRoute route);
    void add_asset(std::string pattern, Asset asset);  // GET, open

    /// Throws Error(kInvalidArgument) for a path that two readers could read differently: dot
    /// segments, control bytes, broken escapes. HEAD finds the routes of GET.
    Match find(std::string_view method, std::string_view raw_path) const;

    const std::vector<Route>& routes() const { return routes_; }

private:
    void add(Route route);
    std::vector<Route> routes_;
};

}  // namespace jikji::http
