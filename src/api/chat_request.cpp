#include "api/chat_request.hpp"

#include <fmt/format.h>

#include "api/fields.hpp"
#include "api/message_fields.hpp"
#include "api/tool_fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

namespace json = boost::json;
using http::Fields;

constexpr Reason kTextOnly{"this model reads and writes text only", "이 모델은 글만 다룹니다"};

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

/// Accepts the one value that changes nothing.
void accept_only(Fields& fields, std::string_view name, std::string_view value,
                 const Reason& reason) {
    const json::value* given = fields.find(name);
    if (given && !(given->is_string() && given->get_string() == value))
        throw_unsupported(name, reason);
}

/// False if the model shall answer at once.
bool read_reasoning(Fields& fields) {
    accept_only(fields, "reasoning_effort", "none",
                {"how long a model thinks is its own affair; give none, or leave it out",
                 "얼마나 생각할지는 모델이 정합니다. none으로 하거나 빼세요"});
    return !fields.has("reasoning_effort");
}

void refuse_others(Fields& fields) {
    if (const auto modalities = fields.optional_strings("modalities")) {
        for (const std::string& modality : *modalities) {
            if (modality != "text") throw_unsupported("modalities", kTextOnly);
        }
    }
    refuse(fields, "audio", kTextOnly);
    refuse(fields, "web_search_options",
           {"nothing leaves this machine", "이 컴퓨터 밖으로 나가지 않습니다"});
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
    refuse_others(fields);
    request.prompt = read_prompt(fields);
    request.input.messages = read_messages(fields, request.prompt.has_value());
    read_tools(fields, request.input);
    read_format(fields, request.input);
    request.input.reasoning = read_reasoning(fields);
    request.options = read_sampling(fields);
    read_max_tokens(fields, request.options);
    request.choices = read_choices(fields);
    request.top_logprobs = read_logprobs(fields);
    request.use_cache = read_use_cache(fields, call);
    request.caller = read_caller(fields, call);
    const StreamFields stream = read_stream(fields);
    out.stream = stream.stream;
    out.include_usage = stream.include_usage;
    read_metadata(fields);
    fields.refuse_unknown({"user", "prompt_cache_key", "prompt_cache_retention",
                           "prompt_cache_options", "safety_identifier", "prediction"});
    return out;
}

}  // namespace jikji::api
