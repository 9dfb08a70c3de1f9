#pragma once
// The tests of http: the routes that they use, and a server with short limits.
#include <atomic>
#include <memory>
#include <string>

#include "http/server.hpp"
#include "support/raw_http.hpp"
#include "support/temp_folder.hpp"

namespace jikji::http {

/// What the handlers saw, for the tests to ask.
struct Seen {
    std::atomic<int> streams_started{0};
    std::atomic<int> streams_ended{0};  // by their end or by an exception
    std::atomic<int> streams_cancelled{0};
    std::atomic<bool> release{false};  // lets /v1/wait answer
};

/// /v1/echo (POST), /v1/items/{id}, /health (open), /v1/boom, /v1/wait, /v1/file, /v1/files
/// (upload), /v1/events (a stream of `n` events), /v1/forever, /v1/late, / (asset).
std::unique_ptr<Router> test_router(Seen& seen, const tests::TempFolder& folder);

ServerOptions quick_options();

/// True as soon as `condition` is; false after 20 s.
template <typename Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 2000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

}  // namespace jikji::http
