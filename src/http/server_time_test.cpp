#include <doctest/doctest.h>

#include <memory>
#include <vector>

#include "base/log.hpp"
#include "support/http_fixture.hpp"

namespace jikji::http {
namespace {

struct Setup {
    Seen seen;
    tests::TempFolder folder;
    std::unique_ptr<Router> router = test_router(seen, folder);
    ServerOptions options = quick_options();
};

std::string get(const std::string& target) {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n\r\n";
}

}  // namespace

TEST_SUITE_BEGIN("server_time");

TEST_CASE("slow requests are answered 408 and closed; silent ones are closed") {
    Setup setup;
    setup.options.limits.header_time = Milliseconds(150);
    setup.options.limits.idle_time = Milliseconds(150);
    tests::RunningServer running(setup.options, *setup.router);
    {
        tests::RawSocket head(running.port());
        head.send("GET /health HT");
        CHECK(head.receive_all().find("408 Request Timeout") != std::string::npos);
        CHECK(head.closed());
    }
    {
        tests::RawSocket body(running.port());
        body.send(
            "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Content-Length: 100\r\n\r\n{");
        CHECK(body.receive_all().find("408 Request Timeout") != std::string::npos);
    }
    {
        tests::RawSocket silent(running.port());
        CHECK(silent.receive_all().empty());
        CHECK(silent.closed());
    }
    tests::RawSocket kept(running.port());
    kept.send(get("/health"));
    const std::string got = kept.receive_all();
    CHECK(got.ends_with("ok"));
    CHECK(kept.closed());
}

TEST_CASE("a body that keeps the least speed passes, however long it takes") {
    Setup setup;
    setup.options.limits.header_time = Milliseconds(200);
    setup.options.limits.body_bytes_per_second = 1000;
    tests::RunningServer running(setup.options, *setup.router);
    const std::string body = R"({"text":")" + std::string(2000, 'x') + R"("})";
    tests::RawSocket socket(running.port());
    socket.send(
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += 400) {
        socket.send(body.substr(at, 400));
        std::this_thread::sleep_for(std::chrono::milliseconds(60));
    }
    CHECK(socket.receive_until("\"}").find("200 OK") != std::string::npos);
}

TEST_CASE("a client that leaves cancels its handler, in order or by a reset") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    std::vector<std::unique_ptr<tests::RawSocket>> sockets;
    for (int i = 0; i < 20; ++i) {
        sockets.push_back(std::make_unique<tests::RawSocket>(running.port()));
        sockets.back()->send(get("/v1/forever"));
        sockets.back()->receive_until(": \n\n");
    }
    CHECK(eventually([&] { return setup.seen.streams_started == 20; }));
    CHECK(setup.seen.streams_cancelled == 0);
    for (std::size_t i = 0; i < sockets.size(); ++i)
        i % 2 == 0 ? sockets[i]->close() : sockets[i]->reset();
    CHECK(eventually([&] { return setup.seen.streams_cancelled == 20; }));
    CHECK(eventually([&] { return running.server().connections() == 0; }));
}

TEST_CASE("a client that leaves is seen by a blocking handler too") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send(get("/v1/wait"));
    CHECK(eventually([&] { return running.server().connections() == 1; }));
    socket.reset();
    CHECK(eventually([&] { return running.server().connections() == 0; }));
}

TEST_CASE("clients that never read are cut, and the others do not notice") {
    set_log_level(LogLevel::kOff);
    Setup setup;
    setup.options.limits.write_time = Milliseconds(200);
    setup.options.limits.send_buffer_bytes = 8 * 1024;
    tests::RunningServer running(setup.options, *setup.router);
    std::vector<std::unique_ptr<tests::RawSocket>> sleepers;
    for (int i = 0; i < 20; ++i) {
        sleepers.push_back(std::make_unique<tests::RawSocket>(running.port(), 4096));
        sleepers.back()->send(get("/v1/events?n=1000000&pad=1000"));
    }
    CHECK(eventually([&] { return setup.seen.streams_started == 20; }));
    tests::RawSocket healthy(running.port());
    healthy.send(get("/v1/events?n=200&ms=2"));
    CHECK(healthy.receive_until("[DONE]").find("\"i\":199") != std::string::npos);
    CHECK(eventually([&] { return setup.seen.streams_ended == 21; }));
}

TEST_CASE("a quiet stream says that it lives") {
    Setup setup;
    setup.options.limits.heartbeat = Milliseconds(30);
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send(get("/v1/forever"));
    const std::string beat = "4\r\n: \n\n\r\n";
    CHECK(socket.receive_until(beat + beat + beat).find("text/event-stream") != std::string::npos);
}

TEST_CASE("200 streams at once, each whole") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    std::vector<std::unique_ptr<tests::RawSocket>> sockets;
    for (int i = 0; i < 200; ++i) {
        sockets.push_back(std::make_unique<tests::RawSocket>(running.port()));
        REQUIRE(sockets.back()->connected());
        sockets.back()->send(get("/v1/events?n=20&ms=5"));
    }
    for (const auto& socket : sockets) {
        const std::string got = socket->receive_until("0\r\n\r\n");
        std::size_t at = 0;
        for (int i = 0; i < 20 && at != std::string::npos; ++i)
            at = got.find("\"i\":" + std::to_string(i) + ",", at);
        CHECK(at != std::string::npos);
        CHECK(got.find("data: [DONE]") != std::string::npos);
    }
    CHECK(eventually([&] { return setup.seen.streams_ended == 200; }));
}

TEST_CASE("connections beyond the limit are told so, and the next one is served") {
    Setup setup;
    setup.options.limits.connections = 3;
    tests::RunningServer running(setup.options, *setup.router);
    std::vector<std::unique_ptr<tests::RawSocket>> held;
    for (int i = 0; i < 3; ++i) {
        held.push_back(std::make_unique<tests::RawSocket>(running.port()));
        held.back()->send(get("/v1/forever"));
        held.back()->receive_until(": \n\n");
    }
    {
        tests::RawSocket fourth(running.port());
        fourth.send(get("/health"));
        const std::string got = fourth.receive_all();
        CHECK(got.substr(9, 3) == "503");
        CHECK(got.find("retry-after") != got.npos);
    }
    held.clear();
    CHECK(eventually([&] { return running.server().connections() == 0; }));
    tests::RawSocket next(running.port());
    next.send(get("/health"));
    CHECK(next.receive_until("ok").find("200 OK") != std::string::npos);
}

TEST_CASE("stopping lets what runs finish, and cuts what does not") {
    set_log_level(LogLevel::kOff);
    Setup setup;
    setup.options.limits.drain_time = Milliseconds(1000);
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket running_one(running.port());
    running_one.send(get("/v1/wait"));
    tests::RawSocket idle(running.port());
    idle.send(get("/health"));
    idle.receive_until("ok");
    tests::RawSocket endless(running.port());
    endless.send(get("/v1/forever"));
    endless.receive_until(": \n\n");
    running.server().stop();
    idle.receive_all();
    CHECK(idle.closed());
    CHECK(!tests::RawSocket(running.port()).connected());
    setup.seen.release = true;
    CHECK(running_one.receive_all().ends_with("done"));
    running.stop();
    CHECK(setup.seen.streams_cancelled == 1);
}

TEST_SUITE_END();

}  // namespace jikji::http
