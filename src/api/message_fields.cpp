#include "api/message_fields.hpp"

#include <fmt/format.h>

#include <map>

#include "api/fields.hpp"
#include "api/tool_fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

namespace json = boost::json;
using http::Fields;

constexpr Reason kTextOnly{"this model reads and writes text only", "이 모델은 글만 다룹니다"};
constexpr Reason kFunctions{"it is the older form; use tool_calls and messages of role tool",
                            "옛 형식입니다. tool_calls와 tool 역할의 메시지를 쓰세요"};

std::string read_part(const json::value& value, const std::string& path) {
    Fields part = Fields::of(value, path);
    const std::string type = part.required_string("type");
    std::string text;
    if (type == "text" || type == "input_text" || type == "output_text") {
        text = part.required_string("text");
    } else if (type == "refusal") {
        text = part.required_string("refusal");
    } else {
        throw_unsupported(part.path_of("type"), kTextOnly);
    }
    part.refuse_unknown({"annotations", "logprobs", "prompt_cache_breakpoint"});
    return text;
}

std::string read_content(Fields& message, const engine::Message& read) {
    const json::value* content = message.find("content");
    const std::string path = message.path_of("content");
    if (!content && read.role == "assistant" && message.has("refusal"))
        return message.required_string("refusal");
    if (!content && !read.tool_calls.empty()) return {};
    if (!content) return message.required_string("content");  // says that it is missing
    if (content->is_string()) return std::string(content->get_string());
    if (!content->is_array())
        http::wrong_value(path, *content, "a string or a list of text parts",
                          "문자열이나 글 조각 목록");
    std::string text;
    const json::array& parts = content->get_array();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) text += '\n';
        text += read_part(parts[i], http::path_at(path, i));
    }
    return text;
}

std::string read_role(Fields& message) {
    const std::string role = message.required_string("role");
    if (role == "developer") return "system";  // OpenAI's newer name for it
    if (role == "system" || role == "user" || role == "assistant" || role == "tool") return role;
    if (role == "function") throw_unsupported(message.path_of("role"), kFunctions);
    http::wrong_value(message.path_of("role"), message.required("role"),
                      "system, developer, user, assistant or tool",
                      "system, developer, user, assistant, tool 중 하나");
}

/// Templates read the arguments as an object; what is none would break them, or vanish.
std::string read_arguments(Fields& function) {
    const std::string text = function.required_string("arguments");
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return "{}";
    try {
        http::parse_object(text);
    } catch (const Error& cause) {
        const std::string path = function.path_of("arguments");
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} is not a JSON object: {}; send the arguments of a whole call",
                                path, cause.what()),
                    path,
                    fmt::format("{}이(가) JSON 객체가 아닙니다: {} 온전한 호출의 인수를 보내세요.",
                                path, cause.korean()));
    }
    return text;
}

engine::ToolCall read_call(const json::value& value, const std::string& path) {
    Fields fields = Fields::of(value, path);
    engine::ToolCall call;
    call.id = fields.required_string("id");
    require_function_type(fields, /*may_be_absent=*/true);
    Fields function = fields.required_object("function");
    call.name = function.required_string("name");
    check_name(function.path_of("name"), call.name);
    call.arguments = read_arguments(function);
    function.refuse_unknown();
    fields.refuse_unknown({"index"});  // that of a streamed delta, sent back as it was
    return call;
}

void read_calls(Fields& fields, engine::Message& message) {
    const json::array* calls = fields.optional_array("tool_calls", limits::kTools);
    if (!calls) return;
    const std::string path = fields.path_of("tool_calls");
    if (message.role != "assistant" && !calls->empty()) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("{} stands in a message of role {}; only assistant calls tools", path,
                        message.role),
            path,
            fmt::format("{}이(가) {} 역할의 메시지에 있습니다. 도구는 assistant만 부릅니다.", path,
                        message.role));
    }
    for (std::size_t i = 0; i < calls->size(); ++i)
        message.tool_calls.push_back(read_call((*calls)[i], http::path_at(path, i)));
}

engine::Message read_message(const json::value& value, const std::string& path) {
    Fields fields = Fields::of(value, path);
    engine::Message message;
    message.role = read_role(fields);
    refuse(fields, "function_call", kFunctions);
    refuse(fields, "audio", kTextOnly);
    read_calls(fields, message);
    if (message.role == "assistant")
        message.reasoning_content = fields.optional_string("reasoning_content").value_or("");
    if (message.role == "tool") message.tool_call_id = fields.required_string("tool_call_id");
    message.content = read_content(fields, message);
    fields.refuse_unknown({"name", "refusal", "annotations"});
    return message;
}

/// The calls that the messages so far have made: a tool message takes its tool's name from them.
class Calls {
public:
    void add(const engine::Message& message) {
        for (const engine::ToolCall& call : message.tool_calls) names_[call.id] = call.name;
    }
    const std::string& name_of(const std::string& id, const std::string& path) const {
        const auto found = names_.find(id);
        if (found != names_.end()) return found->second;
        const std::string shown = http::beginning(id, kShownBytes);
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} is '{}', which no assistant message before it has called; "
                                "send that message too, with its tool_calls",
                                path, shown),
                    path,
                    fmt::format("{} 값이 '{}'인데 앞의 assistant 메시지 가운데 그런 호출이 "
                                "없습니다. tool_calls가 든 그 메시지도 보내세요.",
                                path, shown));
    }

private:
    static constexpr std::size_t kShownBytes = 60;
    std::map<std::string, std::string> names_;
};

// Templates that allow one leading system turn refuse a second one: the first turns become one.
void append(std::vector<engine::Message>& messages, engine::Message message) {
    const bool merge =
        messages.size() == 1 && messages[0].role == "system" && message.role == "system";
    if (merge) {
        messages[0].content += "\n\n" + message.content;
    } else {
        messages.push_back(std::move(message));
    }
}

}  // namespace

std::vector<engine::Message> read_messages(Fields& fields, bool may_be_empty) {
    std::vector<engine::Message> out;
    if (may_be_empty && !fields.has("messages")) return out;
    const json::array& list = fields.required_array("messages", limits::kMessages);
    if (list.empty() && !may_be_empty) {
        throw Error(ErrorCode::kInvalidArgument, "messages is empty; give at least one message",
                    "messages", "messages가 비어 있습니다. 메시지를 하나 이상 보내세요.");
    }
    Calls calls;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string path = http::path_at("messages", i);
        engine::Message message = read_message(list[i], path);
        if (message.role == "tool")
            message.name = calls.name_of(message.tool_call_id, path + ".tool_call_id");
        calls.add(message);
        append(out, std::move(message));
    }
    return out;
}

}  // namespace jikji::api
