#include "api/chat_request.hpp"

#include <fmt/format.h>

#include "api/fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

namespace json = boost::json;
using http::Fields;

constexpr Reason kTools{"tools come with the engine release", "도구는 다음 엔진 판에서 됩니다"};
constexpr Reason kTextOnly{"this model reads and writes text only", "이 모델은 글만 다룹니다"};

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

std::string read_content(Fields& message, const std::string& role) {
    const json::value* content = message.find("content");
    const std::string path = message.path_of("content");
    if (!content && role == "assistant" && message.has("refusal"))
        return message.required_string("refusal");
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
    if (role == "system" || role == "user" || role == "assistant") return role;
    if (role == "tool" || role == "function") throw_unsupported(message.path_of("role"), kTools);
    http::wrong_value(message.path_of("role"), message.required("role"),
                      "system, developer, user or assistant",
                      "system, developer, user, assistant 중 하나");
}

engine::Message read_message(const json::value& value, const std::string& path) {
    Fields fields = Fields::of(value, path);
    engine::Message message;
    message.role = read_role(fields);
    refuse(fields, "tool_calls", kTools);
    refuse(fields, "function_call", kTools);
    refuse(fields, "audio", kTextOnly);
    message.content = read_content(fields, message.role);
    fields.refuse_unknown({"name", "refusal", "annotations"});
    return message;
}

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

std::vector<engine::Message> read_messages(Fields& fields, bool may_be_empty) {
    std::vector<engine::Message> out;
    if (may_be_empty && !fields.has("messages")) return out;
    const json::array& list = fields.required_array("messages", limits::kMessages);
    if (list.empty() && !may_be_empty) {
        throw Error(ErrorCode::kInvalidArgument, "messages is empty; give at least one message",
                    "messages", "messages가 비어 있습니다. 메시지를 하나 이상 보내세요.");
    }
    for (std::size_t i = 0; i < list.size(); ++i)
        append(out, read_message(list[i], http::path_at("messages", i)));
    return out;
}

void read_max_tokens(Fields& fields, service::SamplingOptions& options) {
    const auto newer = fields.optional_integer("max_completion_tokens");
    if (!newer) return;
    if (options.max_tokens && *options.max_tokens != *newer) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("max_completion_tokens is {} and max_tokens is {}; give only one of them",
                        *newer, *options.max_tokens),
            "max_completion_tokens",
            fmt::format("max_completion_tokens는 {}, max_tokens는 {}입니다. 하나만 보내세요.",
                        *newer, *options.max_tokens));
    }
    options.max_tokens = newer;
}

int read_logprobs(Fields& fields) {
    const bool wanted = fields.optional_bool("logprobs").value_or(false);
    const auto top = fields.optional_integer("top_logprobs", {0, limits::kTopLogprobs});
    if (top && !wanted) {
        throw Error(ErrorCode::kInvalidArgument,
                    "top_logprobs needs logprobs: true; set it, or leave top_logprobs out",
                    "top_logprobs",
                    "top_logprobs는 logprobs가 true일 때만 쓸 수 있습니다. logprobs를 true로 "
                    "하거나 top_logprobs를 빼세요.");
    }
    return wanted ? static_cast<int>(top.value_or(0)) : -1;
}

void refuse_tools(Fields& fields) {
    for (const char* name : {"tools", "functions", "function_call"}) refuse(fields, name, kTools);
    const json::value* choice = fields.find("tool_choice");
    if (choice && !(choice->is_string() && choice->get_string() == "none"))
        throw_unsupported("tool_choice", kTools);
}

/// Accepts the one value that changes nothing.
void accept_only(Fields& fields, std::string_view name, std::string_view value,
                 const Reason& reason) {
    const json::value* given = fields.find(name);
    if (given && !(given->is_string() && given->get_string() == value))
        throw_unsupported(name, reason);
}

void refuse_formats(Fields& fields) {
    if (auto format = fields.optional_object("response_format")) {
        if (format->required_string("type") != "text")
            throw_unsupported("response_format.type", {"only text comes out of this release",
                                                       "이 판은 글(text)만 내보냅니다"});
        format->refuse_unknown();
    }
    if (const auto modalities = fields.optional_strings("modalities")) {
        for (const std::string& modality : *modalities) {
            if (modality != "text") throw_unsupported("modalities", kTextOnly);
        }
    }
    refuse(fields, "audio", kTextOnly);
    refuse(fields, "web_search_options",
           {"nothing leaves this machine", "이 컴퓨터 밖으로 나가지 않습니다"});
    accept_only(fields, "reasoning_effort", "none",
                {"no model here reasons apart from its answer; give none, or leave it out",
                 "추론을 따로 하는 모델이 없습니다. none으로 하거나 빼세요"});
    accept_only(fields, "verbosity", "medium",
                {"say in a message how long the answer shall be; give medium, or leave it out",
                 "답의 길이는 메시지로 말하세요. medium으로 하거나 빼세요"});
    if (fields.optional_bool("store").value_or(false))
        throw_unsupported("store", {"completions are not kept; give false, or leave it out",
                                    "응답을 보관하지 않습니다. false로 하거나 빼세요"});
}

}  // namespace

ChatCall parse_chat(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    ChatCall out;
    service::ChatRequest& request = out.request;
    request.model = fields.optional_string("model").value_or("");
    refuse_tools(fields);
    refuse_formats(fields);
    request.prompt = read_prompt(fields);
    request.messages = read_messages(fields, request.prompt.has_value());
    request.options = read_sampling(fields);
    read_max_tokens(fields, request.options);
    request.choices = read_choices(fields);
    request.top_logprobs = read_logprobs(fields);
    request.use_cache = read_use_cache(fields, call);
    const StreamFields stream = read_stream(fields);
    out.stream = stream.stream;
    out.include_usage = stream.include_usage;
    read_metadata(fields);
    fields.refuse_unknown({"user", "service_tier", "prompt_cache_key", "prompt_cache_retention",
                           "prompt_cache_options", "safety_identifier", "prediction",
                           "parallel_tool_calls"});
    return out;
}

}  // namespace jikji::api
