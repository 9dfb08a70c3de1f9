#include "cli/batch_line.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace jikji::cli {
namespace {

const json::object kSettings = {{"object", "generation_settings"},
                                {"temperature", 0.5},
                                {"max_tokens", 512},
                                {"stop", json::array{"</s>"}}};

json::object body_of(const BatchRequest& request) { return parse_object(request.body); }

}  // namespace

TEST_SUITE_BEGIN("batch_line");

TEST_CASE("the kinds of line") {
    GenerationFlags flags;
    flags.max_tokens = 9;
    const json::array hi = {json::object{{"role", "user"}, {"content", "hi"}}};
    for (const char* line : {R"("hi")", R"({"prompt": "hi"})",
                             R"({"messages": [{"role": "user", "content": "hi"}]})"}) {
        CAPTURE(line);
        const BatchRequest request = read_batch_line(line, kSettings, flags);
        CHECK(request.path == "/v1/chat/completions");
        CHECK(request.custom_id.empty());
        const json::object body = body_of(request);
        CHECK((body.at("messages") == hi));
        CHECK_FALSE(body.contains("prompt"));
        CHECK(number_at(body, "temperature") == 0.5);
        CHECK(number_at(body, "max_tokens") == 9);
    }
    const BatchRequest own = read_batch_line(
        R"({"prompt": "hi", "temperature": 0, "custom_id": "a"})", kSettings, flags);
    CHECK(number_at(body_of(own), "temperature", 7) == 0);
    CHECK(own.custom_id == "a");
    CHECK_FALSE(body_of(own).contains("custom_id"));
}

TEST_CASE("a line of OpenAI's batches goes as it is") {
    const BatchRequest request = read_batch_line(
        R"({"custom_id": "x", "method": "POST", "url": "/v1/embeddings", "body": {"input": "a"}})",
        kSettings, {});
    CHECK(request.path == "/v1/embeddings");
    CHECK(request.custom_id == "x");
    CHECK(request.body == R"({"input":"a"})");
}

struct BadCase {
    const char* line;
    const char* part;  // of the message
};

TEST_CASE("a bad line says what is wrong") {
    const BadCase cases[] = {
        {"{", "not JSON"},
        {"[1]", "neither"},
        {"7", "neither"},
        {"{}", "neither messages nor a prompt"},
        {R"({"prompt": 7})", "neither messages nor a prompt"},
        {R"({"prompt": "a", "stream": true})", "stream"},
        {R"({"method": "GET", "url": "/v1/embeddings", "body": {}})", "method is 'GET'"},
        {R"({"method": "POST", "url": "/v1/files", "body": {}})", "url is '/v1/files'"},
        {R"({"method": "POST", "url": "/v1/embeddings"})", "body is missing"},
    };
    for (const BadCase& c : cases) {
        CAPTURE(c.line);
        try {
            read_batch_line(c.line, kSettings, {});
            FAIL_CHECK("passed");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kInvalidArgument);
            CHECK(std::string(error.what()).find(c.part) != std::string::npos);
        }
    }
}

TEST_CASE("answers: words, bodies, errors") {
    http::Answer answer;
    answer.status = 200;
    answer.body = R"({"choices": [{"message": {"content": "안녕"}}]})";
    answer.headers = {{"x-request-id", "req_1"}};
    json::object line = parse_object(batch_answer(3, "a", answer));
    CHECK(text_at(line, "text") == "안녕");
    CHECK(text_at(line, "custom_id") == "a");
    CHECK(number_at(line, "line") == 3);
    CHECK(line.at("error").is_null());
    CHECK(text_at(object_at(line, "response"), "request_id") == "req_1");
    answer.status = 400;
    answer.body = R"({"error": {"code": "invalid_argument", "message": "no"}})";
    line = parse_object(batch_answer(4, "", answer));
    CHECK(line.at("response").is_null());
    CHECK(line.at("custom_id").is_null());
    CHECK(text_at(object_at(line, "error"), "message") == "no");
    CHECK(number_at(object_at(line, "error"), "line") == 4);
}

TEST_SUITE_END();

}  // namespace jikji::cli
