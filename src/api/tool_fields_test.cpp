#include "api/tool_fields.hpp"

#include <doctest/doctest.h>

#include <string>

#include "api/chat_request.hpp"
#include "base/error.hpp"

namespace jikji::api {
namespace {

using engine::ToolChoice;

ChatCall parsed(std::string body) {
    http::Call call;
    call.body = std::move(body);
    return parse_chat(call);
}

std::string with(const std::string& members) {
    return R"({"messages":[{"role":"user","content":"hi"}],)" + members + "}";
}

/// Two tools, `weather` and `time`, and these members.
std::string with_tools(const std::string& members) {
    return with(R"("tools":[{"type":"function","function":{"name":"weather"}},
        {"type":"function","function":{"name":"time","parameters":{"type":"object"}}}],)" +
                members);
}

std::string schema(const std::string& members) {
    return with(R"("response_format":{"type":"json_schema","json_schema":)" + members + "}");
}

std::string messages(const std::string& list) { return R"({"messages":[)" + list + "]}"; }

const std::string kCalled =
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function",
        "function":{"name":"weather","arguments":"{\"city\": \"Seoul\"}"}}]})";

std::string called(const std::string& call) {
    return messages(R"({"role":"assistant","tool_calls":[)" + call + "]}");
}

struct BadCase {
    std::string body;
    std::string field;
    std::string says;  // a part of the message
    ErrorCode code = ErrorCode::kInvalidArgument;
};

constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

const BadCase kBad[] = {
    // tools
    {with(R"("tools":{})"), "tools", "a list"},
    {with(R"("tools":[5])"), "tools[0]", "an object"},
    {with(R"("tools":[{}])"), "tools[0].type", "missing"},
    {with(R"("tools":[{"type":"web_search"}])"), "tools[0].type", "web_search"},
    {with(R"("tools":[{"type":"custom","custom":{"name":"x"}}])"), "tools[0].type", "function",
     kUnsupported},
    {with(R"("tools":[{"type":"function"}])"), "tools[0].function", "missing"},
    {with(R"("tools":[{"type":"function","function":{}}])"), "tools[0].function.name", "missing"},
    {with(R"("tools":[{"type":"function","function":{"name":""}}])"), "tools[0].function.name",
     "1 to 64"},
    {with(R"("tools":[{"type":"function","function":{"name":"get weather"}}])"),
     "tools[0].function.name", "get weather"},
    {with(R"("tools":[{"type":"function","function":{"name":"날씨"}}])"), "tools[0].function.name",
     "letters"},
    {with(R"("tools":[{"type":"function","function":{"name":")" + std::string(65, 'a') + "\"}}]"),
     "tools[0].function.name", "1 to 64"},
    // 27 characters of 3 bytes: the message shows 26 of them, and no part of the last
    {with(
         R"("tools":[{"type":"function","function":{"name":"가나다라마바사아자차카타파가나다라마바)"
         R"(사아자차카타파하"}}])"),
     "tools[0].function.name", "카타파'"},
    {with(R"("tools":[{"type":"function","function":{"name":"f","parameters":[]}}])"),
     "tools[0].function.parameters", "an object"},
    {with(R"("tools":[{"type":"function","function":{"name":"f","description":5}}])"),
     "tools[0].function.description", "a string"},
    {with(R"("tools":[{"type":"function","function":{"name":"f","strict":"yes"}}])"),
     "tools[0].function.strict", "true or false"},
    {with(R"("tools":[{"type":"function","function":{"name":"f","arguments":{}}}])"),
     "tools[0].function.arguments", "not supported", kUnsupported},
    {with(R"("tools":[{"type":"function","function":{"name":"f"}},
                      {"type":"function","function":{"name":"f"}}])"),
     "tools[1].function.name", "a second time"},
    {with(R"("functions":[{"name":"f"}])"), "functions", "use tools", kUnsupported},
    {with(R"("function_call":"auto")"), "function_call", "use tools", kUnsupported},
    // tool_choice
    {with(R"("tool_choice":"auto")"), "tool_choice", "needs tools"},
    {with(R"("tool_choice":"required","tools":[])"), "tool_choice", "needs tools"},
    {with(R"("tool_choice":{"type":"function","function":{"name":"f"}})"), "tool_choice",
     "needs tools"},
    {with_tools(R"("tool_choice":"any")"), "tool_choice", "required"},
    {with_tools(R"("tool_choice":5)"), "tool_choice", "an object"},
    {with_tools(R"("tool_choice":{})"), "tool_choice.type", "missing"},
    {with_tools(R"("tool_choice":{"type":"function"})"), "tool_choice.function", "missing"},
    {with_tools(R"("tool_choice":{"type":"function","function":{"name":"wether"}})"),
     "tool_choice.function.name", "did you mean 'weather'"},
    {with_tools(R"("tool_choice":{"type":"function","function":{"name":"stock_price"}})"),
     "tool_choice.function.name", "weather, time"},
    {with_tools(R"("tool_choice":{"type":"function","name":"time"})"), "tool_choice.function",
     "missing"},
    {with_tools(R"("tool_choice":{"type":"allowed_tools"})"), "tool_choice.allowed_tools",
     "missing"},
    {with_tools(R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"none",
        "tools":[]}})"),
     "tool_choice.allowed_tools.mode", "auto or required"},
    {with_tools(R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
        "tools":[]}})"),
     "tool_choice.allowed_tools.tools", "at least one"},
    {with_tools(R"("tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
        "tools":[{"type":"function","function":{"name":"tine"}}]}})"),
     "tool_choice.allowed_tools.tools[0].function.name", "did you mean 'time'"},
    {with_tools(R"("parallel_tool_calls":1)"), "parallel_tool_calls", "true or false"},
    // response_format and grammar
    {with(R"("response_format":"json")"), "response_format", "an object"},
    {with(R"("response_format":{})"), "response_format.type", "missing"},
    {with(R"("response_format":{"type":"xml"})"), "response_format.type", "json_schema"},
    {with(R"("response_format":{"type":"json_object","schema":{}})"), "response_format.schema",
     "not supported", kUnsupported},
    {with(R"("response_format":{"type":"json_schema"})"), "response_format.json_schema", "missing"},
    {schema(R"({"schema":{}})"), "response_format.json_schema.name", "missing"},
    {schema(R"({"name":"a b","schema":{}})"), "response_format.json_schema.name", "a b"},
    {schema(R"({"name":"a"})"), "response_format.json_schema.schema", "missing"},
    {schema(R"({"name":"a","schema":true})"), "response_format.json_schema.schema", "an object"},
    {schema(R"({"name":"a","schema":{},"strict":"yes"})"), "response_format.json_schema.strict",
     "true or false"},
    {schema(R"({"name":"a","schema":{},"description":[]})"),
     "response_format.json_schema.description", "a string"},
    {with(R"("grammar":5)"), "grammar", "a string"},
    {with(R"("grammar":"root ::= \"a\"","response_format":{"type":"json_object"})"), "grammar",
     "response_format"},
    {with_tools(R"("grammar":"root ::= \"a\"")"), "grammar", "tool_choice none"},
    // calls and what came of them
    {messages(R"({"role":"function","content":"x"})"), "messages[0].role", "tool", kUnsupported},
    {messages(R"({"role":"assistant","content":"x","function_call":{"name":"f"}})"),
     "messages[0].function_call", "tool_calls", kUnsupported},
    {messages(R"({"role":"user","content":"x","tool_calls":[{}]})"), "messages[0].tool_calls",
     "only assistant"},
    {messages(R"({"role":"assistant","tool_calls":[]})"), "messages[0].content", "missing"},
    {called("{}"), "messages[0].tool_calls[0].id", "missing"},
    {called(R"({"id":"a","type":"custom"})"), "messages[0].tool_calls[0].type", "function",
     kUnsupported},
    {called(R"({"id":"a","type":"function"})"), "messages[0].tool_calls[0].function", "missing"},
    {called(R"({"id":"a","function":{"name":"f"}})"),
     "messages[0].tool_calls[0].function.arguments", "missing"},
    {called(R"({"id":"a","function":{"name":"f","arguments":{}}})"),
     "messages[0].tool_calls[0].function.arguments", "a string"},
    {called(R"({"id":"a","function":{"name":"f","arguments":"{\"cut"}})"),
     "messages[0].tool_calls[0].function.arguments", "not a JSON object"},
    {called(R"({"id":"a","function":{"name":"f","arguments":"[]"}})"),
     "messages[0].tool_calls[0].function.arguments", "not a JSON object"},
    {messages(R"({"role":"tool","content":"x"})"), "messages[0].tool_call_id", "missing"},
    {messages(R"({"role":"tool","content":"x","tool_call_id":"call_1"})"),
     "messages[0].tool_call_id", "no assistant message"},
    {messages(kCalled + R"(,{"role":"tool","content":"x","tool_call_id":"call_2"})"),
     "messages[1].tool_call_id", "call_2"},
    {messages(R"({"role":"tool","content":"x","tool_call_id":"call_1"},)" + kCalled),
     "messages[0].tool_call_id", "call_1"},
    {messages(kCalled + R"(,{"role":"tool","tool_call_id":"call_1"})"), "messages[1].content",
     "missing"},
    {messages(kCalled + R"(,{"role":"tool","tool_call_id":"call_1","content":[{"type":"image_url",
        "image_url":{"url":"x"}}]})"),
     "messages[1].content[0].type", "text only", kUnsupported},
};

}  // namespace

TEST_SUITE_BEGIN("tool_fields");

TEST_CASE("what is wrong with tools, calls and formats is refused with the field's name") {
    for (const BadCase& c : kBad) {
        CAPTURE(c.body);
        try {
            parsed(c.body);
            FAIL_CHECK("it was accepted");
        } catch (const Error& error) {
            CHECK(error.field() == c.field);
            CHECK(error.code() == c.code);
            CHECK_MESSAGE(std::string(error.what()).find(c.says) != std::string::npos,
                          error.what());
            CHECK(error.korean() != error.what());
        }
    }
}

TEST_CASE("a tool too many is refused, the last that may be is not") {
    std::string list;
    for (int i = 0; i < 128; ++i)
        list += R"({"type":"function","function":{"name":"f)" + std::to_string(i) + "\"}},";
    list.pop_back();
    CHECK(parsed(with("\"tools\":[" + list + "]")).request.input.tools.size() == 128);
    list += R"(,{"type":"function","function":{"name":"g"}})";
    try {
        parsed(with("\"tools\":[" + list + "]"));
        FAIL("it was accepted");
    } catch (const Error& error) {
        CHECK(error.field() == "tools");
        CHECK(std::string(error.what()).find("128") != std::string::npos);
    }
}

TEST_CASE("tools arrive whole, and their schemas in the order in which they were written") {
    const auto input = parsed(with(R"("tools":[{"type":"function","function":{"name":"find-it_1",
        "description":"Finds.","strict":true,"parameters":{"type":"object","properties":
        {"z":{"type":"number","minimum":0.5},"a":{"enum":["가",null,1]}},"required":["z"]}}},
        {"type":"function","function":{"name":"now","strict":null}}],
        "parallel_tool_calls":false)"))
                           .request.input;
    REQUIRE(input.tools.size() == 2);
    CHECK(input.tools[0].name == "find-it_1");
    CHECK(input.tools[0].description == "Finds.");
    CHECK(input.tools[0].parameters ==
          R"({"type":"object","properties":{"z":{"type":"number","minimum":0.5},)"
          R"("a":{"enum":["가",null,1]}},"required":["z"]})");
    CHECK(input.tools[0].strict);
    CHECK(input.tools[1].parameters.empty());
    CHECK_FALSE(input.tools[1].strict);
    CHECK(input.tool_choice == ToolChoice::kAuto);
    CHECK_FALSE(input.parallel_tool_calls);
    CHECK(parsed(with_tools(R"("n":1)")).request.input.parallel_tool_calls);
}

TEST_CASE("every form of tool_choice") {
    const auto choice = [](const std::string& json) {
        return parsed(with_tools("\"tool_choice\":" + json)).request.input;
    };
    CHECK(choice("null").tool_choice == ToolChoice::kAuto);
    CHECK(choice("\"auto\"").tool_choice == ToolChoice::kAuto);
    CHECK(choice("\"none\"").tool_choice == ToolChoice::kNone);
    CHECK(choice("\"required\"").tool_choice == ToolChoice::kRequired);
    const auto named = choice(R"({"type":"function","function":{"name":"time"}})");
    CHECK(named.tool_choice == ToolChoice::kNamed);
    CHECK(named.tool_name == "time");
    CHECK(named.tools.size() == 2);
    const auto allowed = choice(R"({"type":"allowed_tools","allowed_tools":{"mode":"required",
        "tools":[{"type":"function","function":{"name":"time"}},
                 {"type":"function","function":{"name":"time"}}]}})");
    CHECK(allowed.tool_choice == ToolChoice::kRequired);
    CHECK(allowed.tools.size() == 2);
    CHECK(allowed.allowed_tools == std::vector<std::string>{"time", "time"});
    CHECK(parsed(with(R"("tool_choice":"none")")).request.input.tools.empty());
}

TEST_CASE("what the answer has to be") {
    CHECK(parsed(with(R"("response_format":{"type":"json_object"})")).request.input.json_object);
    const auto input = parsed(schema(R"({"name":"a","description":"b","strict":false,
        "schema":{"type":"object","properties":{"b":{},"a":{}}}})"))
                           .request.input;
    CHECK(input.json_schema == R"({"type":"object","properties":{"b":{},"a":{}}})");
    CHECK_FALSE(input.json_object);
    CHECK(parsed(with(R"("grammar":"root ::= \"a\"")")).request.input.grammar == "root ::= \"a\"");
    CHECK(parsed(with(R"("grammar":"","response_format":{"type":"json_object"})"))
              .request.input.json_object);
    const auto text = parsed(with(R"("response_format":{"type":"text"})")).request.input;
    CHECK_FALSE(text.json_object);
    CHECK(text.json_schema.empty());
    CHECK(parsed(with_tools(R"("tool_choice":"none","response_format":{"type":"json_object"})"))
              .request.input.json_object);
    CHECK(text.reasoning);
    CHECK_FALSE(parsed(with(R"("reasoning_effort":"none")")).request.input.reasoning);
}

TEST_CASE("calls and their answers come back") {
    const auto list = parsed(messages(kCalled +
                                      R"(,{"role":"tool","tool_call_id":"call_1","content":
        [{"type":"text","text":"sunny"},{"type":"text","text":"21 °C"}]},
        {"role":"assistant","content":"It is sunny.","reasoning_content":"hm","tool_calls":null},
        {"role":"assistant","content":"","tool_calls":[{"index":0,"id":"b","type":"function",
            "function":{"name":"now","arguments":""}}]},
        {"role":"tool","tool_call_id":"b","content":"12:00"})"))
                          .request.input.messages;
    REQUIRE(list.size() == 5);
    REQUIRE(list[0].tool_calls.size() == 1);
    CHECK(list[0].content.empty());
    CHECK(list[0].tool_calls[0].id == "call_1");
    CHECK(list[0].tool_calls[0].name == "weather");
    CHECK(list[0].tool_calls[0].arguments == R"({"city": "Seoul"})");
    CHECK(list[1].tool_call_id == "call_1");
    CHECK(list[1].name == "weather");
    CHECK(list[1].content == "sunny\n21 °C");
    CHECK(list[2].reasoning_content == "hm");
    CHECK(list[3].tool_calls[0].arguments == "{}");
    CHECK(list[4].name == "now");
}

TEST_SUITE_END();

}  // namespace jikji::api
