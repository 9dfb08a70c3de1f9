#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

#include "base/log.hpp"
#include "http/json.hpp"
#include "support/http_fixture.hpp"

namespace jikji::http {
namespace {

struct BadCase {
    std::string name;
    std::string request;
    int status;
    std::string code;  // error.code; empty: the answer is no error
};

std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

std::string post(const std::string& headers, const std::string& body = "") {
    return "POST /v1/echo HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body;
}

const std::string kJson = "Content-Type: application/json\r\n";
const std::string kChunked = kJson + "Transfer-Encoding: chunked\r\n";

std::string post_json(const std::string& body) {
    return post(kJson + "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}

std::string host(const std::string& value) {
    return "GET /health HTTP/1.1\r\nHost: " + value + "\r\n\r\n";
}

const BadCase kGood[] = {
    {"plain", get("/health"), 200, ""},
    {"host in capitals", host("LOCALHOST:1"), 200, ""},
    {"IPv6 host", host("[::1]:8080"), 200, ""},
    {"address as host", host("127.0.0.1"), 200, ""},
    {"absolute target", "GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, ""},
    {"empty line first", "\r\n" + get("/health"), 200, ""},
    {"HTTP/1.0", "GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n", 200, ""},
    {"json", post_json(R"({"text": "x"})"), 200, ""},
    {"json with charset",
     post("Content-Type: application/json; charset=utf-8\r\nContent-Length: 12\r\n",
          R"({"text":"x"})"),
     200, ""},
    {"chunked", post(kChunked, "5\r\n{\"tex\r\n7;a=b\r\nt\":\"x\"}\r\n0\r\nX: y\r\n\r\n"), 200, ""},
    {"bare path", get("/items/a%2Fb?q=%ED%95%9C"), 200, ""},
    {"HEAD", "HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, ""},
    {"OPTIONS", "OPTIONS /v1/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, ""},
    {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 204, ""},
    {"same origin",
     post("Origin: http://localhost\r\n" + kJson + "Content-Length: 12\r\n", R"({"text":"x"})"),
     200, ""},
};

const BadCase kBad[] = {
    {"noise", "\x16\x03\x01\x02\r\n\r\n", 400, "malformed_request"},
    {"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request"},
    {"no version", "GET /health\r\n\r\n", 400, "malformed_request"},
    {"HTTP/3.0", "GET /health HTTP/3.0\r\nHost: localhost\r\n\r\n", 400, "malformed_request"},
    {"no target", "GET HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"},
    {"two spaces", "GET  /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "malformed_request"},
    {"space in target", get("/he alth"), 400, "malformed_request"},
    {"bare LF", "GET /health HTTP/1.1\nHost: localhost\n\n", 400, "malformed_request"},
    {"bare CR", "GET /health HTTP/1.1\rHost: localhost\r\n\r\n", 400, "malformed_request"},
    {"NUL in head", get("/health", std::string("X: a\0b\r\n", 8)), 400, "malformed_request"},
    {"folded header", get("/health", "X: a\r\n b\r\n"), 400, "malformed_request"},
    {"folded first header", "GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n", 400,
     "malformed_request"},
    {"header without colon", get("/health", "nonsense\r\n"), 400, "malformed_request"},
    {"space before colon", get("/health", "X : y\r\n"), 400, "malformed_request"},
    {"empty header name", get("/health", ": y\r\n"), 400, "malformed_request"},
    {"relative target", get("health"), 400, "malformed_request"},
    {"fragment", get("/health#x"), 400, "malformed_request"},
    {"other absolute target", "GET http://evil/health HTTP/1.1\r\nHost: localhost\r\n\r\n", 400,
     "malformed_request"},
    {"bad query escape", get("/v1/items/a?q=%zz"), 400, "malformed_request"},
    {"dot segments", get("/v1/../v1/echo"), 400, "invalid_argument"},
    {"NUL in path", get("/v1/items/%00"), 400, "invalid_argument"},
    {"no host", "GET /health HTTP/1.1\r\n\r\n", 400, "invalid_host"},
    {"empty host", host(""), 400, "invalid_host"},
    {"two hosts", "GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", 400,
     "malformed_request"},
    {"host with a path", host("localhost/x"), 400, "invalid_host"},
    {"host with a user", host("a@localhost"), 400, "invalid_host"},
    {"host with a bad port", host("localhost:x"), 400, "invalid_host"},
    {"unclosed IPv6 host", host("[::1"), 400, "invalid_host"},
    {"foreign host", host("evil.example"), 421, "unknown_host"},
    {"foreign suffix", host("localhost.evil.example"), 421, "unknown_host"},
    {"host with a dot", host("localhost."), 421, "unknown_host"},
    {"decimal address", host("2130706433"), 421, "unknown_host"},
    {"unknown path", get("/v1/audio/speech"), 404, "unsupported_endpoint"},
    {"unknown id is a path", get("/v1/echo/x"), 404, "unsupported_endpoint"},
    {"wrong method", get("/v1/echo"), 405, "method_not_allowed"},
    {"unknown method", "BREW /v1/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 405,
     "method_not_allowed"},
    {"TRACE", "TRACE /v1/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "method_not_allowed"},
    {"cross-site", post("Origin: http://evil.example\r\n" + kJson + "Content-Length: 2\r\n", "{}"),
     403, "cross_origin"},
    {"null origin", post("Origin: null\r\n" + kJson + "Content-Length: 2\r\n", "{}"), 403,
     "cross_origin"},
    {"no content type", post("Content-Length: 2\r\n", "{}"), 415, "unsupported_media_type"},
    {"text as JSON", post("Content-Type: text/plain\r\nContent-Length: 2\r\n", "{}"), 415,
     "unsupported_media_type"},
    {"form as JSON",
     post("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 2\r\n", "{}"), 415,
     "unsupported_media_type"},
    {"gzip body", post(kJson + "Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}"), 415,
     "unsupported_content_encoding"},
    {"length and chunked", post(kChunked + "Content-Length: 5\r\n", "0\r\n\r\n"), 400,
     "malformed_request"},
    {"two lengths", post(kJson + "Content-Length: 2\r\nContent-Length: 3\r\n", "{}"), 400,
     "malformed_request"},
    {"same length twice", post(kJson + "Content-Length: 2\r\nContent-Length: 2\r\n", "{}"), 400,
     "malformed_request"},
    {"list of lengths", post(kJson + "Content-Length: 2, 2\r\n", "{}"), 400, "malformed_request"},
    {"negative length", post(kJson + "Content-Length: -1\r\n", "{}"), 400, "malformed_request"},
    {"signed length", post(kJson + "Content-Length: +2\r\n", "{}"), 400, "malformed_request"},
    {"length beyond 64 bits", post(kJson + "Content-Length: 99999999999999999999999\r\n"), 400,
     "malformed_request"},
    {"unknown coding", post(kJson + "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400,
     "malformed_request"},
    {"coding with a trick", post(kJson + "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400,
     "malformed_request"},
    {"negative chunk", post(kChunked, "-2\r\n{}\r\n0\r\n\r\n"), 400, "malformed_request"},
    {"wrapping chunk", post(kChunked, "10000000000000002\r\n{}\r\n0\r\n\r\n"), 400,
     "malformed_request"},
    {"chunk in words", post(kChunked, "zz\r\n{}\r\n"), 400, "malformed_request"},
    {"chunk without its end", post(kChunked, "2\r\n{}xx0\r\n\r\n"), 400, "malformed_request"},
    {"endless chunk head", post(kChunked, "2;" + std::string(200000, 'x')), 400,
     "malformed_request"},
    {"chunked in HTTP/1.0",
     "POST /v1/echo HTTP/1.0\r\nHost: localhost\r\n" + kChunked + "\r\n0\r\n\r\n", 400,
     "malformed_request"},
    {"other expectation", post(kJson + "Expect: magic\r\nContent-Length: 2\r\n", "{}"), 417,
     "expectation_failed"},
    {"body over the limit", post(kJson + "Content-Length: 99999999\r\n"), 413, "too_large"},
    {"long target", get("/" + std::string(40000, 'a')), 431, "headers_too_large"},
    {"long header", get("/health", "X: " + std::string(40000, 'a') + "\r\n"), 431,
     "headers_too_large"},
    {"endless header", "GET /health HTTP/1.1\r\nX: " + std::string(40000, 'a'), 431,
     "headers_too_large"},
    {"many headers",
     get("/health",
         [] {
             std::string lines;
             for (int i = 0; i < 300; ++i) lines += "X: y\r\n";
             return lines;
         }()),
     431, "headers_too_large"},
    {"empty body", post(kJson + "Content-Length: 0\r\n"), 400, "invalid_argument"},
    {"no length", post(kJson), 400, "invalid_argument"},
    {"not JSON", post_json("{"), 400, "invalid_argument"},
    {"deep JSON", post_json(std::string(100000, '[')), 400, "invalid_argument"},
    {"infinite number", post_json(R"({"text": 1e999})"), 400, "invalid_argument"},
    {"same name twice", post_json(R"({"text": "a", "text": "b"})"), 400, "invalid_argument"},
    {"list for an object", post_json("[]"), 400, "invalid_argument"},
    {"wrong type", post_json(R"({"text": 1})"), 400, "invalid_argument"},
    {"missing member", post_json("{}"), 400, "invalid_argument"},
    {"unknown member", post_json(R"({"text": "a", "txet": 1})"), 400, "unsupported_parameter"},
    {"bad UTF-8", post_json("{\"text\": \"\xff\"}"), 400, "invalid_argument"},
    {"internal error", get("/v1/boom"), 500, "internal"},
    {"upload as JSON",
     "POST /v1/files HTTP/1.1\r\nHost: localhost\r\n" + kJson + "Content-Length: 2\r\n\r\n{}", 415,
     "unsupported_media_type"},
    {"upload without boundary",
     "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data\r\n"
     "Content-Length: 2\r\n\r\n{}",
     415, "unsupported_media_type"},
    {"upload of noise",
     "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
     "boundary=B\r\nContent-Length: 5\r\n\r\nnoise",
     400, "invalid_argument"},
    {"upload over the limit",
     "POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
     "boundary=B\r\nContent-Length: 99999999\r\n\r\n",
     413, "too_large"},
};

int status_of(const std::string& answer) {
    return answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}

std::string body_of(const std::string& answer) {
    const std::size_t end = answer.find("\r\n\r\n");
    return end == std::string::npos ? "" : answer.substr(end + 4);
}

/// The error's code, with the shape of the body checked on the way.
std::string code_of(const std::string& answer) {
    const json::value value = parse_json(body_of(answer));
    const json::object& error = value.at("error").as_object();
    CHECK(error.size() == 4);
    CHECK(error.at("message").is_string());
    CHECK(error.at("type").is_string());
    CHECK((error.at("param").is_null() || error.at("param").is_string()));
    return std::string(error.at("code").as_string());
}

void check_case(int port, const BadCase& c, bool byte_by_byte) {
    CAPTURE(c.name);
    tests::RawSocket socket(port);
    if (byte_by_byte) {
        for (const char& byte : c.request) {
            if (!socket.send({&byte, 1})) break;
        }
    } else {
        socket.send(c.request);
    }
    socket.end_sending();
    const std::string answer = socket.receive_all();
    CHECK(socket.closed());  // in order and at once, so that no proxy waits
    CHECK(answer.find("HTTP/1.1 ", 1) == std::string::npos);  // one answer to one request
    CHECK(status_of(answer) == c.status);
    CHECK(answer.find("\r\nx-request-id: req_") != std::string::npos);
    CHECK(answer.find("\r\nopenai-version: 2020-10-01\r\n") != std::string::npos);
    CHECK(answer.find("access-control") == std::string::npos);
    CHECK(answer.find("secret") == std::string::npos);
    if (!c.code.empty()) CHECK(code_of(answer) == c.code);
}

}  // namespace

TEST_SUITE_BEGIN("malformed");

TEST_CASE("what is right is answered, what is wrong is refused, and the server goes on") {
    set_log_level(LogLevel::kOff);
    Seen seen;
    const tests::TempFolder folder;
    const auto router = test_router(seen, folder);
    tests::RunningServer running(quick_options(), *router);
    for (const bool byte_by_byte : {false, true}) {
        CAPTURE(byte_by_byte);
        for (const BadCase& c : kGood) check_case(running.port(), c, byte_by_byte);
        for (const BadCase& c : kBad) {
            if (byte_by_byte && c.request.size() > 2000) continue;
            check_case(running.port(), c, byte_by_byte);
        }
    }
    check_case(running.port(), kGood[0], false);
    CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("half requests do no harm") {
    Seen seen;
    const tests::TempFolder folder;
    const auto router = test_router(seen, folder);
    tests::RunningServer running(quick_options(), *router);
    const std::string whole = post_json(R"({"text": "hello"})");
    for (std::size_t size = 0; size < whole.size(); ++size) {
        tests::RawSocket socket(running.port());
        socket.send(whole.substr(0, size));
        if (size % 2 == 0) socket.reset();
    }
    check_case(running.port(), kGood[0], false);
    CHECK(eventually([&] { return running.server().connections() == 0; }));
}

TEST_SUITE_END();

}  // namespace jikji::http
