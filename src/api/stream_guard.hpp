#pragma once
// How every event stream begins, with x-jikji-cache, and ends: with [DONE], after an error event
// if something failed.
#include <boost/asio/awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "api/choices.hpp"
#include "api/objects.hpp"
#include "http/call.hpp"
#include "http/responder.hpp"

namespace jikji::api {

/// A stream that says how the cache was used, if there is anything that could be in it.
inline boost::asio::awaitable<http::Sse> open_stream(const Choices& choices,
                                                     http::Responder& responder) {
    std::vector<std::pair<std::string, std::string>> headers;
    if (choices.size() > 0) headers.push_back(cache_header(choices.cache()));
    co_return co_await responder.open_sse(std::move(headers));
}

/// Awaits `events`, which sends to `sse`. What it throws becomes the error event, since the status
/// is spent; only a client that left or is too slow is passed on: there is nobody to tell.
inline boost::asio::awaitable<void> guarded(boost::asio::awaitable<void> events,
                                            const http::Call& call, http::Sse& sse) {
    std::string failure;  // sent below: co_await is not allowed in a catch block
    try {
        co_await std::move(events);
    } catch (const boost::system::system_error&) {
        throw;
    } catch (const std::exception& error) {
        failure = http::error_json(http::error_parts(error, call.request_id, call.language));
    }
    if (!failure.empty()) co_await sse.send(failure);
    co_await sse.done();
}

}  // namespace jikji::api
