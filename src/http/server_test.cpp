#include "http/server.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "http/client.hpp"
#include "http/json.hpp"
#include "support/http_fixture.hpp"

namespace jikji::http {
namespace {

struct Setup {
    Seen seen;
    tests::TempFolder folder;
    std::unique_ptr<Router> router = test_router(seen, folder);
    ServerOptions options = quick_options();
};

std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

ClientOptions client_options(const tests::RunningServer& running, std::string key = {}) {
    ClientOptions options;
    options.url = running.url() + "/v1";
    options.api_key = std::move(key);
    return options;
}

int count(std::string_view text, std::string_view what) {
    int out = 0;
    for (std::size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++out;
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("server");

TEST_CASE("requests follow each other on one connection, pipelined too") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send(get("/health") + get("/v1/items/1") + get("/v1/events?n=2") +
                "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: 12\r\n\r\n{\"text\":\"x\"}" +
                get("/v1/items/last", "Connection: close\r\n"));
    const std::string got = socket.receive_all();
    CHECK(socket.closed());
    CHECK(count(got, "HTTP/1.1 200 OK") == 5);
    CHECK(count(got, "connection: keep-alive") == 4);
    CHECK(got.find("\"id\":\"last\"") != got.npos);
    CHECK(got.find("data: [DONE]\n\n\r\n0\r\n\r\n") != got.npos);
}

TEST_CASE("a body is asked for when the client waits for that") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send(
        "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Expect: 100-continue\r\nContent-Length: 12\r\n\r\n");
    CHECK(socket.receive_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send("{\"text\":\"x\"}");
    CHECK(socket.receive_until("\"x\"}").find("200 OK") != std::string::npos);
}

TEST_CASE("HEAD has the headers and no body") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send("HEAD /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const std::string got = socket.receive_all();
    CHECK(got.find("content-length: 2\r\n") != got.npos);
    CHECK(got.ends_with("\r\n\r\n"));
}

TEST_CASE("keys: every route but the open ones wants one of ours") {
    Setup setup;
    setup.options.api_key_hashes = {sha256_hex("sk-one"), sha256_hex("sk-two")};
    tests::RunningServer running(setup.options, *setup.router);
    struct KeyCase {
        std::string header;
        int status;
    };
    const KeyCase kCases[] = {
        {"Authorization: Bearer sk-one\r\n", 200},
        {"authorization: bearer sk-two\r\n", 200},
        {"", 401},
        {"Authorization: Bearer sk-three\r\n", 401},
        {"Authorization: Bearer \r\n", 401},
        {"Authorization: Bearer sk-one sk-two\r\n", 401},
        {"Authorization: Basic sk-one\r\n", 401},
        {"X-Api-Key: sk-one\r\n", 401},
        {"Authorization: Bearer " + sha256_hex("sk-one") + "\r\n", 401},
        {"Authorization: Bearer sk-one\r\nAuthorization: Bearer sk-two\r\n", 400},
    };
    for (const Route& route : setup.router->routes()) {
        CAPTURE(route.pattern);
        tests::RawSocket socket(running.port());
        socket.send(route.method + " " + route.pattern +
                    " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        const bool refused = socket.receive_all().starts_with("HTTP/1.1 401");
        CHECK(refused == (route.access == Access::kKey));
    }
    for (const KeyCase& c : kCases) {
        CAPTURE(c.header);
        tests::RawSocket socket(running.port());
        socket.send(get("/v1/items/1", c.header + "Connection: close\r\n"));
        CHECK(socket.receive_all().substr(9, 3) == std::to_string(c.status));
    }
    tests::RawSocket unknown(running.port());
    unknown.send(get("/v1/nothing", "Connection: close\r\n"));
    CHECK(unknown.receive_all().substr(9, 3) == "401");
}

TEST_CASE("errors speak the reader's language") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    tests::RawSocket socket(running.port());
    socket.send(get("/v1/nothing", "Accept-Language: ko-KR,ko;q=0.9\r\nConnection: close\r\n"));
    CHECK(socket.receive_all().find("경로가 없습니다") != std::string::npos);
}

TEST_CASE("assets: compressed on request, not sent twice, with a strict policy") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    const auto ask = [&](const std::string& headers) {
        tests::RawSocket socket(running.port());
        socket.send(get("/", headers + "Connection: close\r\n"));
        return socket.receive_all();
    };
    const std::string plain = ask("");
    CHECK(plain.ends_with("<p>plain"));
    CHECK(plain.find("frame-ancestors 'none'") != plain.npos);
    CHECK(plain.find("etag: \"e1\"") != plain.npos);
    const std::string packed = ask("Accept-Encoding: br, gzip\r\n");
    CHECK(packed.ends_with("packed"));
    CHECK(packed.find("content-encoding: gzip") != packed.npos);
    CHECK(ask("If-None-Match: \"e1\"\r\n").substr(9, 3) == "304");
    CHECK(ask("If-None-Match: \"e2\"\r\n").substr(9, 3) == "200");
}

TEST_CASE("files are streamed from disk") {
    Setup setup;
    const std::string bytes(3'000'000, 'z');
    std::ofstream(setup.folder / "big", std::ios::binary) << bytes;
    tests::RunningServer running(setup.options, *setup.router);
    Client client(client_options(running));
    const Answer answer = client.request("GET", "/file");
    CHECK(answer.body == bytes);
    CHECK(answer.header("content-disposition").find("%EB%B3%B4") != std::string::npos);
    std::filesystem::remove(setup.folder / "big");
    CHECK_THROWS_AS(client.request("GET", "/file"), Error);
}

TEST_CASE("uploads reach the handler by disk, and nothing stays behind") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    const tests::TempFolder source;
    std::string bytes = random_bytes(5'000'000) + "\r\n--not the boundary\r\n";
    std::ofstream(source / "보고서.bin", std::ios::binary) << bytes;
    std::uint64_t sent = 0;
    Client client(client_options(running));
    const Answer answer =
        client.upload("/files", source / "보고서.bin", {{"purpose", "assistants"}, {"a[b]", "c"}},
                      [&](std::uint64_t so_far, std::uint64_t) { sent = so_far; });
    json::value got = parse_json(answer.body);
    CHECK(got.at("filename") == json::value("보고서.bin"));
    CHECK(got.at("sha256") == json::value(sha256_hex(bytes)));
    CHECK(got.at("purpose") == json::value("assistants"));
    CHECK(got.at("a[b]") == json::value("c"));
    CHECK(sent == bytes.size());
    CHECK(eventually([&] { return std::filesystem::is_empty(setup.folder.path()); }));
}

TEST_CASE("an upload that is cut, too large, or has no place leaves nothing behind") {
    set_log_level(LogLevel::kOff);
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    const tests::TempFolder source;
    std::ofstream(source / "large", std::ios::binary) << std::string(12'000'000, 'x');
    Client client(client_options(running));
    try {
        client.upload("/files", source / "large", {});
        FAIL("12 MB passed a limit of 8 MB");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kTooLarge);
    }
    CHECK_THROWS_AS(client.upload("/nowhere", source / "large", {}), Error);
    {
        tests::RawSocket socket(running.port());
        socket.send(
            "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
            "multipart/form-data; boundary=B\r\nContent-Length: 2000000\r\n\r\n--B\r\n"
            "Content-Disposition: form-data; name=file; filename=x\r\n\r\n");
        socket.send(std::string(1'000'000, 'x'));
        CHECK(eventually([&] { return !std::filesystem::is_empty(setup.folder.path()); }));
        socket.reset();
    }
    CHECK(eventually([&] { return std::filesystem::is_empty(setup.folder.path()); }));
}

TEST_CASE("listening says clearly why it cannot") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    ServerOptions taken = setup.options;
    taken.port = running.port();
    Server second(taken, *setup.router);
    try {
        second.listen();
        FAIL("two servers on one port");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kConflict);
        CHECK(std::string(error.what()).find(std::to_string(running.port())) != std::string::npos);
    }
    ServerOptions open = setup.options;
    open.host = "0.0.0.0";
    open.port = 0;
    CHECK_THROWS_AS(Server(open, *setup.router).listen(), Error);
    open.api_key_hashes = {sha256_hex("k")};
    CHECK_NOTHROW(Server(open, *setup.router).listen());
    ServerOptions foreign = setup.options;
    foreign.host = "192.0.2.1";
    CHECK_THROWS_AS(Server(foreign, *setup.router).listen(), Error);
}

TEST_CASE("the client: events, errors, cancelling, nobody there") {
    Setup setup;
    tests::RunningServer running(setup.options, *setup.router);
    Client client(client_options(running));
    std::vector<std::string> events;
    client.stream("GET", "/events?n=3", "", [&](std::string_view data) {
        events.emplace_back(data);
        return true;
    });
    CHECK(events == std::vector<std::string>{R"({"i":0,"pad":""})", R"({"i":1,"pad":""})",
                                             R"({"i":2,"pad":""})"});
    int seen = 0;
    client.stream("GET", "/events?n=100000", "", [&](std::string_view) { return ++seen < 3; });
    CHECK(seen == 3);
    const auto ignore = [](std::string_view) { return true; };
    CHECK_THROWS_WITH_AS(client.stream("GET", "/late", "", ignore), "too late", Error);
    CHECK_THROWS_AS(client.stream("GET", "/nothing", "", ignore), Error);

    ClientOptions hasty = client_options(running);
    int asked = 0;
    hasty.poll = [&asked] { return ++asked < 5; };
    try {
        Client(hasty).stream("GET", "/forever", "", ignore);
        FAIL("it came back");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
    const ClientOptions gone = client_options(running);
    running.stop();
    CHECK_THROWS_AS(Client(gone).request("GET", "/items/1"), Error);
}

TEST_SUITE_END();

}  // namespace jikji::http
