#include "http/router.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace jikji::http {
namespace {

Router make_router() {
    Router router;
    const BlockingHandler nothing = [](Call&) { return Reply{}; };
    const StreamingHandler stream = [](Call&, Responder&) -> net::awaitable<void> { co_return; };
    router.add_blocking("GET", "/v1/models", Access::kKey, nothing);
    router.add_blocking("GET", "/v1/models/{id}", Access::kKey, nothing);
    router.add_blocking("DELETE", "/v1/models/{id}", Access::kKey, nothing);
    router.add_blocking("GET", "/v1/models/loaded", Access::kKey, nothing);
    router.add_blocking("GET", "/v1/vector_stores/{id}/files/{file_id}", Access::kKey, nothing);
    router.add_blocking("GET", "/health", Access::kOpen, nothing);
    router.add_streaming("GET", "/v1/events", Access::kKey, stream);
    router.add_asset("/", Asset{"<p>", "", "text/html", "\"1\""});
    return router;
}

struct PathCase {
    const char* method;
    const char* path;
    const char* want;  // "pattern name=value…", "- Allow", or "!" for refused
};

const PathCase kPaths[] = {
    {"GET", "/v1/models", "/v1/models"},
    {"GET", "/models", "/v1/models"},
    {"HEAD", "/v1/models", "/v1/models"},
    {"GET", "/v1/models/a", "/v1/models/{id} id=a"},
    {"GET", "/models/a", "/v1/models/{id} id=a"},
    {"GET", "/v1/models/org%2Fmodel:Q4_K_M", "/v1/models/{id} id=org/model:Q4_K_M"},
    {"GET", "/v1/models/%EC%B1%85", "/v1/models/{id} id=책"},
    {"GET", "/v1/models/a+b", "/v1/models/{id} id=a+b"},
    {"GET", "/v1/models/loaded", "/v1/models/loaded"},
    {"GET", "/v1/vector_stores/vs_1/files/file-2",
     "/v1/vector_stores/{id}/files/{file_id} id=vs_1 file_id=file-2"},
    {"GET", "/health", "/health"},
    {"GET", "/", "/"},
    {"GET", "/v1/health", "-"},
    {"GET", "/v1/models/", "-"},
    {"GET", "/v1//models", "-"},
    {"GET", "/V1/models", "-"},
    {"GET", "/v1/models/a/b", "-"},
    {"GET", "/v1%2Fmodels", "-"},
    {"GET", "/v1/mod%65ls", "-"},
    {"GET", "/nothing", "-"},
    {"POST", "/v1/models", "- GET, HEAD, OPTIONS"},
    {"PUT", "/v1/models/a", "- DELETE, GET, HEAD, OPTIONS"},
    {"HEAD", "/v1/events", "- GET, OPTIONS"},
    {"get", "/v1/models", "- GET, HEAD, OPTIONS"},
    {"GET", "/v1/../v1/models", "!"},
    {"GET", "/v1/models/..", "!"},
    {"GET", "/v1/models/%2e%2E", "!"},
    {"GET", "/./v1/models", "!"},
    {"GET", "/v1/models/a%00b", "!"},
    {"GET", "/v1/models/a%0ab", "!"},
    {"GET", "/v1/models/%", "!"},
    {"GET", "/v1/models/%4", "!"},
    {"GET", "/v1/models/%zz", "!"},
    {"GET", "/v1/models/%ff", "!"},
    {"GET", "v1/models", "!"},
    {"GET", "", "!"},
};

std::string described(const Router& router, const PathCase& c) {
    try {
        const Match match = router.find(c.method, c.path);
        if (!match.route) return match.allow.empty() ? "-" : "- " + match.allow;
        std::string out = match.route->pattern;
        for (const auto& [name, value] : match.parameters.items())
            out.append(" ").append(name).append("=").append(value);
        return out;
    } catch (const Error& error) {
        return error.code() == ErrorCode::kInvalidArgument ? "!" : "wrong error";
    }
}

}  // namespace

TEST_SUITE_BEGIN("router");

TEST_CASE("paths find their routes") {
    const Router router = make_router();
    for (const PathCase& c : kPaths) {
        CAPTURE(std::string(c.method) + " " + c.path);
        CHECK(described(router, c) == c.want);
    }
}

TEST_CASE("a route cannot be added twice") {
    Router router = make_router();
    CHECK_THROWS_AS(router.add_asset("/health", Asset{}), Error);
}

TEST_CASE("pairs read the brackets of the SDKs") {
    Pairs pairs;
    pairs.add("include[]", "a");
    pairs.add("include", "b");
    pairs.add("metadata[k]", "v");
    pairs.add("metadata[]", "none");
    CHECK(pairs.all("include") == std::vector<std::string>{"a", "b"});
    REQUIRE(pairs.map("metadata").size() == 1);
    CHECK(pairs.map("metadata")[0] == std::pair<std::string, std::string>{"k", "v"});
    CHECK(!pairs.find("other"));
}

TEST_SUITE_END();

}  // namespace jikji::http
