#include "api/chat_request.hpp"

#include <doctest/doctest.h>

#include <string>

#include "base/error.hpp"

namespace jikji::api {
namespace {

http::Call call_of(std::string body) {
    http::Call call;
    call.body = std::move(body);
    return call;
}

/// A chat body with one message and these members beside it.
std::string with(const std::string& members) {
    return R"({"model":"m","messages":[{"role":"user","content":"hi"}],)" + members + "}";
}

/// A chat body with this one message.
std::string message(const std::string& json) {
    return R"({"model":"m","messages":[)" + json + "]}";
}

struct BadCase {
    std::string body;
    std::string field;
    ErrorCode code = ErrorCode::kInvalidArgument;
};

constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const BadCase kBad[] = {
    {"", ""},
    {"[]", ""},
    {"{", ""},
    {R"({"model":7,"messages":[{"role":"user","content":"hi"}]})", "model"},
    {R"({"model":"m"})", "messages"},
    {R"({"model":"m","messages":[]})", "messages"},
    {R"({"model":"m","messages":"hi"})", "messages"},
    {R"({"model":"m","messages":["hi"]})", "messages[0]"},
    {message(R"({"content":"hi"})"), "messages[0].role"},
    {message(R"({"role":"robot","content":"hi"})"), "messages[0].role"},
    {message(R"({"role":"user"})"), "messages[0].content"},
    {message(R"({"role":"user","content":null})"), "messages[0].content"},
    {message(R"({"role":"assistant","content":null})"), "messages[0].content"},
    {message(R"({"role":"user","content":7})"), "messages[0].content"},
    {message(R"({"role":"user","content":["hi"]})"), "messages[0].content[0]"},
    {message(R"({"role":"user","content":[{"type":"text"}]})"), "messages[0].content[0].text"},
    {message(R"({"role":"user","content":[{"text":"hi"}]})"), "messages[0].content[0].type"},
    {message(R"({"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]})"),
     "messages[0].content[0].type", kUnsupported},
    {message(R"({"role":"user","content":[{"type":"input_audio"}]})"),
     "messages[0].content[0].type", kUnsupported},
    {message(R"({"role":"user","content":"hi","colour":1})"), "messages[0].colour", kUnsupported},
    {with(R"("audio":{"voice":"a"})"), "audio", kUnsupported},
    {with(R"("modalities":["text","audio"])"), "modalities", kUnsupported},
    {with(R"("web_search_options":{})"), "web_search_options", kUnsupported},
    {with(R"("reasoning_effort":"high")"), "reasoning_effort", kUnsupported},
    {with(R"("verbosity":"low")"), "verbosity", kUnsupported},
    {with(R"("store":true)"), "store", kUnsupported},
    {with(R"("temprature":1)"), "temprature", kUnsupported},
    {with(R"("temperature":"hot")"), "temperature"},
    {with(R"("temperature":[])"), "temperature"},
    {with(R"("top_p":true)"), "top_p"},
    {with(R"("top_k":1.5)"), "top_k"},
    {with(R"("min_p":"0")"), "min_p"},
    {with(R"("repeat_penalty":{})"), "repeat_penalty"},
    {with(R"("presence_penalty":"1")"), "presence_penalty"},
    {with(R"("frequency_penalty":"1")"), "frequency_penalty"},
    {with(R"("ignore_eos":1)"), "ignore_eos"},
    {with(R"("use_cache":"no")"), "use_cache"},
    {with(R"("seed":1.5)"), "seed"},
    {with(R"("seed":1e30)"), "seed"},
    {with(R"("n":0)"), "n"},
    {with(R"("n":17)"), "n"},
    {with(R"("n":"2")"), "n"},
    {with(R"("max_tokens":"9")"), "max_tokens"},
    {with(R"("max_completion_tokens":1.5)"), "max_completion_tokens"},
    {with(R"("max_tokens":1,"max_completion_tokens":2)"), "max_completion_tokens"},
    {with(R"("stop":7)"), "stop"},
    {with(R"("stop":["a",7])"), "stop[1]"},
    {with(R"("stop":["a","b","c","d","e"])"), "stop"},
    {with(R"("logit_bias":[1])"), "logit_bias"},
    {with(R"("logit_bias":{"x":1})"), "logit_bias.x"},
    {with(R"("logit_bias":{"-1":1})"), "logit_bias.-1"},
    {with(R"("logit_bias":{"1":101})"), "logit_bias.1"},
    {with(R"("logit_bias":{"4294967296":1})"), "logit_bias.4294967296"},
    {with(R"("logprobs":5)"), "logprobs"},
    {with(R"("top_logprobs":5)"), "top_logprobs"},
    {with(R"("logprobs":true,"top_logprobs":21)"), "top_logprobs"},
    {with(R"("stream":"yes")"), "stream"},
    {with(R"("stream_options":{"include_usage":true})"), "stream_options"},
    {with(R"("stream":true,"stream_options":{"usage":true})"), "stream_options.usage",
     kUnsupported},
    {with(R"("metadata":{"a":1})"), "metadata.a"},
    {with(R"("prompt":"teacher")"), "prompt"},
    {with(R"("prompt":{})"), "prompt.id"},
    {with(R"("prompt":{"id":"p","version":"2"})"), "prompt.version", kUnsupported},
    {with(R"("prompt":{"id":"p","variables":{"a":1}})"), "prompt.variables.a"},
    {with(R"("prompt":{"id":"p","variables":{"a":{"type":"input_image"}}})"),
     "prompt.variables.a.type", kUnsupported},
};

}  // namespace

TEST_SUITE_BEGIN("chat_request");

TEST_CASE("a wrong body is refused with the field's name") {
    for (const BadCase& c : kBad) {
        CAPTURE(c.body);
        try {
            parse_chat(call_of(c.body));
            FAIL_CHECK("it was accepted");
        } catch (const Error& error) {
            CHECK(error.field() == c.field);
            CHECK(error.code() == c.code);
            CHECK(error.korean() != error.what());
        }
    }
}

TEST_CASE("everything that is honoured arrives") {
    const ChatCall chat = parse_chat(call_of(with(
        R"("max_completion_tokens":9,"temperature":0.5,"top_p":0.9,"n":2,"stop":["x","y"],
           "seed":-3,"presence_penalty":1,"frequency_penalty":-1,"logit_bias":{"12":-100},
           "logprobs":true,"top_logprobs":3,"stream":true,"stream_options":{"include_usage":true},
           "top_k":4,"min_p":0.1,"repeat_penalty":1.2,"ignore_eos":true,"use_cache":false)")));
    const service::ChatRequest& request = chat.request;
    CHECK(request.model == "m");
    CHECK(request.options.max_tokens == 9);
    CHECK(request.options.temperature == 0.5);
    CHECK(request.options.top_p == 0.9);
    CHECK(request.options.stop == std::vector<std::string>{"x", "y"});
    CHECK(request.options.seed == -3);
    CHECK(request.options.presence_penalty == 1);
    CHECK(request.options.frequency_penalty == -1);
    REQUIRE(request.options.logit_bias.size() == 1);
    CHECK(request.options.logit_bias[0].first == 12);
    CHECK(request.options.logit_bias[0].second == -100);
    CHECK(request.options.top_k == 4);
    CHECK(request.options.min_p == 0.1);
    CHECK(request.options.repeat_penalty == 1.2);
    CHECK(request.options.ignore_eos);
    CHECK(request.choices == 2);
    CHECK(request.top_logprobs == 3);
    CHECK_FALSE(request.use_cache);
    CHECK(chat.stream);
    CHECK(chat.include_usage);
}

TEST_CASE("what cannot change the text is let pass, and null is silence") {
    const ChatCall chat = parse_chat(call_of(with(
        R"("user":"u","metadata":{"a":"b"},"store":false,"service_tier":"auto","safety_identifier":
           "s","prompt_cache_key":"k","verbosity":"medium","reasoning_effort":"none","tools":[],
           "tool_choice":"none","modalities":["text"],"response_format":{"type":"text"},
           "prediction":null,"audio":null,"temperature":null,"stop":null,"stream_options":null)")));
    CHECK_FALSE(chat.request.options.temperature.has_value());
    CHECK_FALSE(chat.request.options.stop.has_value());
    CHECK(chat.request.top_logprobs == -1);
    CHECK(chat.request.use_cache);
}

TEST_CASE("who has time says so, and who has none") {
    const auto caller = [](const char* tier) {
        return parse_chat(call_of(with(tier))).request.caller;
    };
    CHECK(caller(R"("service_tier":"flex")").lane == engine::Lane::kBatch);
    CHECK(caller(R"("service_tier":"priority")").lane == engine::Lane::kInteractive);
    CHECK_FALSE(caller(R"("service_tier":"flex")").patience.deadline.has_value());
    const auto with_time = [&](const char* text) {
        http::Call timed = call_of(with(R"("n":1)"));
        timed.headers.add("x-jikji-timeout-ms", text);
        return parse_chat(timed).request.caller.patience.deadline.has_value();
    };
    CHECK(with_time("2500"));
    http::Call timed = call_of(with(R"("n":1)"));  // waiting for a worker counts, too
    timed.start = std::chrono::steady_clock::now() - std::chrono::seconds(5);
    timed.headers.add("x-jikji-timeout-ms", "2500");
    CHECK(parse_chat(timed).request.caller.patience.deadline ==
          timed.start + std::chrono::milliseconds(2500));
    CHECK(parse_chat(timed).request.caller.patience.left == timed.left);
    for (const char* wrong : {"0", "-1", "1.5", "2s", "99999999999999999999", "86400001"}) {
        CHECK_THROWS_AS(with_time(wrong), Error);
    }
}

TEST_CASE("messages: parts become one text, developer is system, leading system turns are one") {
    const ChatCall chat = parse_chat(call_of(R"({"model":"m","messages":[
        {"role":"developer","content":"a"},
        {"role":"system","content":[{"type":"text","text":"b"},{"type":"input_text","text":"c"}]},
        {"role":"user","content":"","name":"kim"},
        {"role":"assistant","content":"d","refusal":null,"annotations":[]},
        {"role":"assistant","content":null,"refusal":"no"},
        {"role":"system","content":"e"}]})"));
    const auto& messages = chat.request.input.messages;
    REQUIRE(messages.size() == 5);
    CHECK(messages[0].role == "system");
    CHECK(messages[0].content == "a\n\nb\nc");
    CHECK(messages[1].content == "");
    CHECK(messages[3].content == "no");
    CHECK(messages[4].role == "system");
}

TEST_CASE("without a model the default one answers") {
    const ChatCall chat = parse_chat(call_of(R"({"messages":[{"role":"user","content":"a"}]})"));
    CHECK(chat.request.model.empty());
}

TEST_CASE("a prompt may stand without messages") {
    const ChatCall chat = parse_chat(call_of(R"({"model":"m","prompt":{"id":"teacher",
        "variables":{"user":"why?","more":{"type":"input_text","text":"because"}}}})"));
    REQUIRE(chat.request.prompt.has_value());
    CHECK(chat.request.prompt->id == "teacher");
    CHECK(chat.request.prompt->variables.at("more") == "because");
    CHECK(chat.request.input.messages.empty());
}

TEST_CASE("a header can turn the cache off") {
    http::Call call = call_of(with(R"("use_cache":true)"));
    call.headers.add("cache-control", "max-age=0, no-cache");
    CHECK_FALSE(parse_chat(call).request.use_cache);
}

TEST_SUITE_END();

}  // namespace jikji::api
