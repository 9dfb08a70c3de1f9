// /v1/fine_tuning/jobs: create, list, show, cancel, pause, resume, events, checkpoints.
#include "service/fine_tuning.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "api/fields.hpp"
#include "api/fine_tuning_objects.hpp"
#include "api/services.hpp"
#include "api/stream_guard.hpp"
#include "base/error.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

namespace net = boost::asio;
using http::Access;
using http::Call;
using http::Reply;
using http::Responder;
using service::FineTuning;
using service::FineTuningJob;

constexpr int kPage = 20, kPageMax = 100;
constexpr auto kLook = std::chrono::milliseconds(150);  // between looks for new events

Reply job_reply(const FineTuningJob& job, const Call& call) {
    return json_reply(fine_tuning_job_json(job, call.language));
}

Reply list_jobs(FineTuning& tuning, const Call& call) {
    std::map<std::string, std::string> metadata;
    for (auto& [key, value] : call.query.map("metadata")) metadata[key] = value;
    const auto listed = tuning.list(read_page(call, kPage, kPageMax), metadata);
    json::array data;
    for (const auto& job : listed.items) data.push_back(fine_tuning_job_json(job, call.language));
    return json_reply(list_json(std::move(data), listed.has_more));
}

Reply list_events(FineTuning& tuning, const Call& call) {
    const auto listed = tuning.events(call.parameter("id"), read_page(call, kPage, kPageMax));
    json::array data;
    for (const auto& event : listed.items) {
        data.push_back(fine_tuning_event_json(event, call.language));
    }
    return json_reply(list_json(std::move(data), listed.has_more));
}

Reply list_checkpoints(FineTuning& tuning, const Call& call) {
    const FineTuningJob job = tuning.get(call.parameter("id"));
    const auto listed = tuning.checkpoints(job.id, read_page(call, kPage, kPageMax));
    json::array data;
    for (const auto& one : listed.items) data.push_back(fine_tuning_checkpoint_json(job, one));
    return json_reply(list_json(std::move(data), listed.has_more));
}

/// What a stream has to say next: events after the last one, and whether more can come.
struct News {
    std::vector<service::FineTuningEvent> events;
    std::string after;   // what was given
    bool more = false;   // than fits in one look
    bool ended = false;  // the job had, before these were read
};

News news(FineTuning& tuning, const std::string& id, const std::string& after) {
    News out;
    out.after = after;
    out.ended = service::has_ended(tuning.get(id));
    auto listed = tuning.events(id, {.after = after, .limit = kPageMax, .ascending = true});
    out.events = std::move(listed.items);
    out.more = listed.has_more;
    return out;
}

[[noreturn]] void throw_stopping() {
    throw Error(ErrorCode::kStopping, "the server is being stopped; the job goes on with it later",
                {}, "서버를 멈추는 중입니다. 작업은 다음에 이어집니다.");
}

net::awaitable<void> send_news(FineTuning& tuning, const Call& call, Responder& responder,
                               http::Sse& sse, News next, std::uint64_t seen) {
    const std::string id = call.parameter("id");
    std::string after = next.after;
    net::steady_timer timer(co_await net::this_coro::executor);
    while (true) {
        for (const auto& event : next.events) {
            after = event.id;
            co_await sse.send(json::serialize(fine_tuning_event_json(event, call.language)));
        }
        if (next.ended && !next.more) co_return;
        while (!next.more && tuning.changes() == seen) {
            timer.expires_after(kLook);
            co_await timer.async_wait(net::use_awaitable);
        }
        if (tuning.stopping()) throw_stopping();  // nobody waits for a page that is left open
        seen = tuning.changes();
        next = co_await responder.offload([&] { return news(tuning, id, after); });
    }
}

/// Oldest first, from the one after `after` on, until the job has ended: then [DONE].
net::awaitable<void> stream_events(FineTuning& tuning, const Call& call, Responder& responder,
                                   const std::string& after) {
    const std::string id = call.parameter("id");
    const std::uint64_t seen = tuning.changes();
    News first = co_await responder.offload([&] { return news(tuning, id, after); });
    http::Sse sse = co_await responder.open_sse();
    auto all = send_news(tuning, call, responder, sse, std::move(first), seen);
    co_await guarded(std::move(all), call, sse);
}

net::awaitable<void> events(FineTuning& tuning, Call& call, Responder& responder) {
    const std::string stream = call.query.find("stream").value_or("false");
    if (stream != "true" && stream != "false")
        http::wrong_value("stream", json::value(stream), "true or false", "true 또는 false");
    if (stream == "true") {
        const std::string last = call.header("last-event-id");
        co_await stream_events(tuning, call, responder, call.query.find("after").value_or(last));
        co_return;
    }
    Reply reply = co_await responder.offload([&] { return list_events(tuning, call); });
    co_await responder.send(std::move(reply));
}

}  // namespace

void add_fine_tuning(http::Router& router, Services& services) {
    FineTuning& tuning = services.fine_tuning;
    const std::string all = "/v1/fine_tuning/jobs";
    const std::string one = all + "/{id}";
    router.add_blocking("POST", all, Access::kKey, [&tuning](Call& call) {
        return job_reply(tuning.create(parse_fine_tuning(call)), call);
    });
    router.add_blocking("GET", all, Access::kKey,
                        [&tuning](Call& call) { return list_jobs(tuning, call); });
    router.add_blocking("GET", one, Access::kKey, [&tuning](Call& call) {
        return job_reply(tuning.get(call.parameter("id")), call);
    });
    router.add_blocking("POST", one + "/cancel", Access::kKey, [&tuning](Call& call) {
        return job_reply(tuning.cancel(call.parameter("id")), call);
    });
    router.add_blocking("POST", one + "/pause", Access::kKey, [&tuning](Call& call) {
        return job_reply(tuning.pause(call.parameter("id")), call);
    });
    router.add_blocking("POST", one + "/resume", Access::kKey, [&tuning](Call& call) {
        return job_reply(tuning.resume(call.parameter("id")), call);
    });
    router.add_streaming(
        "GET", one + "/events", Access::kKey,
        [&tuning](Call& call, Responder& responder) { return events(tuning, call, responder); });
    router.add_blocking("GET", one + "/checkpoints", Access::kKey,
                        [&tuning](Call& call) { return list_checkpoints(tuning, call); });
}

}  // namespace jikji::api
