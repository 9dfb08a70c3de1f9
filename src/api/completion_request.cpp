#include "api/completion_request.hpp"

#include <fmt/format.h>

#include "api/fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

using http::Fields;

constexpr int kLegacyLogprobs = 5;  // OpenAI's maximum here, below chat's

void read_prompts(Fields& fields, CompletionCall& out) {
    TextOrTokens prompts = read_text_or_tokens(fields, "prompt", limits::kQueueLength);
    const std::size_t total = prompts.size() * static_cast<std::size_t>(out.request.choices);
    if (total > limits::kQueueLength) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("prompt has {} items and n is {}, which makes {} completions; ask for at "
                        "most {}",
                        prompts.size(), out.request.choices, total, limits::kQueueLength),
            "prompt",
            fmt::format("prompt {}개에 n이 {}이라 답이 {}개가 됩니다. {}개까지만 요청하세요.",
                        prompts.size(), out.request.choices, total, limits::kQueueLength));
    }
    out.request.prompts = std::move(prompts.texts);
    out.request.tokens = std::move(prompts.tokens);
}

void read_best_of(Fields& fields, int choices) {
    const auto best_of = fields.optional_integer("best_of");
    if (best_of && *best_of != choices)
        throw_unsupported("best_of", {fmt::format("give n, which is {}, or leave it out", choices),
                                      fmt::format("n과 같은 {}(으)로 하거나 빼세요", choices)});
}

}  // namespace

CompletionCall parse_completion(const http::Call& call) {
    const http::json::object body = http::parse_object(call.body);
    Fields fields(body);
    CompletionCall out;
    service::CompletionRequest& request = out.request;
    request.model = fields.optional_string("model").value_or("");
    request.choices = read_choices(fields);
    read_best_of(fields, request.choices);
    read_prompts(fields, out);
    request.options = read_sampling(fields);
    request.grammar = fields.optional_string("grammar").value_or("");
    request.top_logprobs =
        static_cast<int>(fields.optional_integer("logprobs", {0, kLegacyLogprobs}).value_or(-1));
    out.echo = fields.optional_bool("echo").value_or(false);
    if (out.echo && request.top_logprobs >= 0)
        throw_unsupported("echo", {"echo with logprobs needs the prompt's own logprobs, which come "
                                   "in a later release; leave one of them out",
                                   "echo와 logprobs는 아직 함께 쓸 수 없습니다. 하나를 빼세요"});
    if (fields.optional_string("suffix").value_or("") != "")
        throw_unsupported("suffix", {"text can only be continued at its end; leave it out",
                                     "글의 끝에 이어 쓰는 것만 됩니다. 빼세요"});
    request.use_cache = read_use_cache(fields, call);
    request.caller = read_caller(fields, call);
    const StreamFields stream = read_stream(fields);
    out.stream = stream.stream;
    out.include_usage = stream.include_usage;
    fields.refuse_unknown({"user"});
    return out;
}

}  // namespace jikji::api
