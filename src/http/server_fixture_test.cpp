// No tests of its own: the routes that the server's tests use.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fstream>
#include <stdexcept>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/json.hpp"
#include "support/http_fixture.hpp"

namespace jikji::http {
namespace {

Reply echo(Call& call) {
    const json::object object = parse_object(call.body);
    Fields fields(object);
    json::object out{{"text", fields.required_string("text")}};
    fields.refuse_unknown();
    return json_reply(out);
}

Reply upload(Call& call) {
    json::object out;
    for (const auto& [name, value] : call.form->fields.items()) out[name] = value;
    for (const UploadedFile& file : call.form->files) {
        out["filename"] = file.filename;
        out["bytes"] = file.bytes;
        std::ifstream in(file.path, std::ios::binary);
        const std::string bytes((std::istreambuf_iterator<char>(in)), {});
        out["sha256"] = sha256_hex(bytes);
    }
    return json_reply(out);
}

/// `n` events, one every `ms` milliseconds; a bell rung from another thread paces the first one.
net::awaitable<void> events(Seen& seen, Call& call, Responder& responder) {
    const int count = std::stoi(call.query.find("n").value_or("3"));
    const int ms = std::stoi(call.query.find("ms").value_or("0"));
    Sse sse = co_await responder.open_sse();
    ++seen.streams_started;
    const std::shared_ptr<void> on_end(nullptr, [&seen](void*) { ++seen.streams_ended; });
    const Bell bell = responder.make_bell();
    std::thread([bell] { bell.ring(); }).detach();
    co_await bell.wait();
    net::steady_timer timer(co_await net::this_coro::executor);
    const std::string padding(std::stoul(call.query.find("pad").value_or("0")), 'x');
    for (int i = 0; i < count; ++i) {
        const std::string text = json::serialize(json::object{{"i", i}, {"pad", padding}});
        co_await sse.send(text);
        if (ms == 0) continue;
        timer.expires_after(std::chrono::milliseconds(ms));
        co_await timer.async_wait(net::use_awaitable);
    }
    co_await sse.done();
}

/// Waits for a bell that nobody rings: only the client's leaving ends it.
net::awaitable<void> forever(Seen& seen, Responder& responder) {
    co_await responder.open_sse();
    ++seen.streams_started;
    const Bell bell = responder.make_bell();
    try {
        co_await bell.wait();
    } catch (const boost::system::system_error&) {
        ++seen.streams_cancelled;
        throw;
    }
}

net::awaitable<void> late(Responder& responder) {
    Sse sse = co_await responder.open_sse();
    co_await sse.send("{}");
    throw Error(ErrorCode::kOverloaded, "too late");
}

Reply wait(Seen& seen, Call& call) {
    while (!seen.release && call.wanted())
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return text_reply("done");
}

}  // namespace

std::unique_ptr<Router> test_router(Seen& seen, const tests::TempFolder& folder) {
    auto router = std::make_unique<Router>();
    router->add_blocking("POST", "/v1/echo", Access::kKey, echo);
    router->add_blocking("GET", "/v1/items/{id}", Access::kKey, [](Call& call) {
        return json_reply(json::object{{"id", call.parameter("id")},
                                       {"q", call.query.find("q").value_or("")},
                                       {"who", call.principal}});
    });
    router->add_blocking("GET", "/health", Access::kOpen, [](Call&) { return text_reply("ok"); });
    router->add_blocking("GET", "/v1/boom", Access::kKey,
                         [](Call&) -> Reply { throw std::runtime_error("secret detail"); });
    router->add_blocking("GET", "/v1/wait", Access::kKey,
                         [&seen](Call& call) { return wait(seen, call); });
    const std::filesystem::path file = folder / "big";
    router->add_blocking("GET", "/v1/file", Access::kKey, [file](Call&) {
        return file_reply(file, "application/octet-stream", "보고서.bin");
    });
    const std::filesystem::path home = folder.path();
    UploadRoute route;
    route.new_path = [home] { return home / make_id("up-"); };
    route.handler = upload;
    route.bytes_max = 8 * 1024 * 1024;
    router->add_upload("POST", "/v1/files", Access::kKey, route);
    UploadRoute full = route;  // a folder that is not there
    full.new_path = [home] {
        const std::filesystem::path path = home / "full";
        return path / "no-such-folder";
    };
    router->add_upload("POST", "/v1/nowhere", Access::kKey, full);
    router->add_streaming("GET", "/v1/events", Access::kKey,
                          [&seen](Call& c, Responder& r) { return events(seen, c, r); });
    router->add_streaming("GET", "/v1/forever", Access::kKey,
                          [&seen](Call&, Responder& r) { return forever(seen, r); });
    router->add_streaming("GET", "/v1/late", Access::kKey,
                          [](Call&, Responder& r) { return late(r); });
    router->add_asset("/", Asset{"<p>plain", "packed", "text/html; charset=utf-8", "\"e1\""});
    return router;
}

ServerOptions quick_options() {
    ServerOptions options;
    options.limits.header_time = Milliseconds(10000);
    options.limits.drain_time = Milliseconds(200);
    return options;
}

}  // namespace jikji::http
