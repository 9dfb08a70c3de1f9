#include "http/reply.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <stdexcept>

#include "base/log.hpp"
#include "http/client_socket.hpp"
#include "http/json.hpp"

namespace jikji::http {
namespace {

struct FaceCase {
    ErrorCode code;
    int status;
    const char* name;
};

const FaceCase kFaces[] = {
    {ErrorCode::kInvalidArgument, 400, "invalid_argument"},
    {ErrorCode::kUnauthorized, 401, "invalid_api_key"},
    {ErrorCode::kNotFound, 404, "not_found"},
    {ErrorCode::kModelNotFound, 404, "model_not_found"},
    {ErrorCode::kContextLength, 400, "context_length_exceeded"},
    {ErrorCode::kUnsupported, 400, "unsupported_parameter"},
    {ErrorCode::kConflict, 409, "conflict"},
    {ErrorCode::kTooLarge, 413, "too_large"},
    {ErrorCode::kRejected, 422, "rejected"},
    {ErrorCode::kOverloaded, 429, "overloaded"},
    {ErrorCode::kLoading, 503, "model_loading"},
    {ErrorCode::kStopping, 503, "server_stopping"},
    {ErrorCode::kDiskFull, 507, "storage_full"},
    {ErrorCode::kCancelled, 499, "cancelled"},
    {ErrorCode::kTimeout, 408, "timeout"},
};

bool has_header(const Reply& reply, std::string_view name) {
    return std::ranges::any_of(reply.headers, [name](const auto& h) { return h.first == name; });
}

}  // namespace

TEST_SUITE_BEGIN("reply");

TEST_CASE("errors have OpenAI's four members, and the client reads them back") {
    for (const FaceCase& c : kFaces) {
        CAPTURE(c.name);
        const Error error(c.code, "n is 99", "n", "n이 99입니다");
        const Reply reply = error_reply(error, "req_1", Language::kEnglish);
        CHECK(reply.status == c.status);
        json::value body = parse_json(reply.body);
        json::object& object = body.at("error").as_object();
        CHECK(object.size() == 4);
        CHECK(object.at("message") == json::value("n is 99"));
        CHECK(object.at("param") == json::value("n"));
        CHECK(object.at("code") == json::value(c.name));
        CHECK(object.at("type").is_string());
        Answer answer;
        answer.status = reply.status;
        answer.body = reply.body;
        try {
            throw_for(answer);
            FAIL("the client took it");
        } catch (const Error& again) {
            CHECK(again.code() == c.code);
            CHECK(again.field() == "n");
        }
    }
}

TEST_CASE("what to do next is in the headers") {
    const auto reply = [](ErrorCode code) {
        return error_reply(Error(code, "x"), "req_1", Language::kEnglish);
    };
    CHECK(has_header(reply(ErrorCode::kOverloaded), "retry-after"));
    CHECK(has_header(reply(ErrorCode::kOverloaded), "retry-after-ms"));
    CHECK(has_header(reply(ErrorCode::kLoading), "retry-after"));
    Error later(ErrorCode::kOverloaded, "x");
    const Reply waits = error_reply(later.retry_after(std::chrono::milliseconds(2500)), "req_1",
                                    Language::kEnglish);
    const auto sent = [&](const char* name, const char* value) {
        const std::pair<std::string, std::string> wanted(name, value);
        return std::ranges::find(waits.headers, wanted) != waits.headers.end();
    };
    CHECK(sent("retry-after", "3"));
    CHECK(sent("retry-after-ms", "2500"));
    CHECK(has_header(reply(ErrorCode::kTimeout), "x-should-retry"));  // or SDKs send it again
    CHECK(has_header(reply(ErrorCode::kDiskFull), "x-should-retry"));
    CHECK(has_header(reply(ErrorCode::kConflict), "x-should-retry"));
    CHECK(!has_header(reply(ErrorCode::kOverloaded), "x-should-retry"));
    CHECK(has_header(reply(ErrorCode::kUnauthorized), "www-authenticate"));
    CHECK(!has_header(reply(ErrorCode::kInvalidArgument), "retry-after"));
}

TEST_CASE("internal errors keep their details, in both languages") {
    set_log_level(LogLevel::kOff);
    const std::runtime_error cause("open /secret/place: no");
    for (const Language language : {Language::kEnglish, Language::kKorean}) {
        const Reply reply = error_reply(cause, "req_7", language);
        CHECK(reply.status == 500);
        CHECK(reply.body.find("secret") == std::string::npos);
        CHECK(reply.body.find("req_7") != std::string::npos);
        CHECK(reply.body.find("\"param\":null") != std::string::npos);
    }
}

TEST_CASE("messages follow the reader's language") {
    const Error error(ErrorCode::kNotFound, "no file x", "id", "x 파일이 없습니다");
    CHECK(error_parts(error, "r", Language::kKorean).message == "x 파일이 없습니다");
    CHECK(error_parts(error, "r", Language::kEnglish).message == "no file x");
}

TEST_SUITE_END();

}  // namespace jikji::http
