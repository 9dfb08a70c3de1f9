#include "api/chat_objects.hpp"

namespace jikji::api {
namespace {

json::object chunk_choice(std::size_t index, json::object delta) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
}

json::object call_json(const engine::ToolCall& call) {
    return {{"id", call.id},
            {"type", "function"},
            {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

json::object message_json(const engine::Answer& answer) {
    json::object out = {{"role", "assistant"}, {"content", answer.content}, {"refusal", nullptr}};
    if (!answer.reasoning_content.empty()) out["reasoning_content"] = answer.reasoning_content;
    if (answer.calls.empty()) return out;
    if (answer.content.empty()) out["content"] = nullptr;
    json::array& calls = out["tool_calls"].emplace_array();
    for (const engine::ToolCall& call : answer.calls) calls.push_back(call_json(call));
    return out;
}

/// Id, type and name come once, with the first part of the call's arguments.
json::object call_delta_json(const engine::AnswerDelta::Call& call) {
    json::object function = {{"arguments", call.arguments}};
    if (call.id.empty()) return {{"index", call.index}, {"function", std::move(function)}};
    function = {{"name", call.name}, {"arguments", call.arguments}};
    return {{"index", call.index},
            {"id", call.id},
            {"type", "function"},
            {"function", std::move(function)}};
}

json::object delta_json(const engine::AnswerDelta& delta) {
    json::object out;
    if (!delta.reasoning_content.empty()) out["reasoning_content"] = delta.reasoning_content;
    if (!delta.content.empty() || delta.empty()) out["content"] = delta.content;
    if (delta.calls.empty()) return out;
    json::array& calls = out["tool_calls"].emplace_array();
    for (const auto& call : delta.calls) calls.push_back(call_delta_json(call));
    return out;
}

}  // namespace

json::object chat_completion_json(const ChatHead& head, const std::vector<ChatChoice>& choices,
                                  bool logprobs, const AnswerUsage& usage) {
    json::array list;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        const ChatChoice& choice = choices[i];
        json::object one = {{"index", i},
                            {"message", message_json(choice.answer)},
                            {"logprobs", nullptr},
                            {"finish_reason", finish_name(choice.finish, choice.answer)}};
        if (logprobs) one["logprobs"] = chat_logprobs_json(choice.logprobs);
        list.push_back(std::move(one));
    }
    return {{"id", head.id},
            {"object", "chat.completion"},
            {"created", head.created},
            {"model", head.model},
            {"choices", std::move(list)},
            {"usage", usage_json(usage)},
            {"system_fingerprint", head.fingerprint}};
}

std::string ChatChunks::chunk(json::array choices, json::value usage) const {
    json::object out = {{"id", head_.id},
                        {"object", "chat.completion.chunk"},
                        {"created", head_.created},
                        {"model", head_.model},
                        {"system_fingerprint", head_.fingerprint},
                        {"choices", std::move(choices)}};
    if (include_usage_) out["usage"] = std::move(usage);
    return json_text(out);
}

std::string ChatChunks::choice(json::object choice,
                               std::span<const engine::TokenLogprob> logprobs) const {
    if (logprobs_) choice["logprobs"] = chat_logprobs_json(logprobs);
    json::array choices;
    choices.push_back(std::move(choice));
    return chunk(std::move(choices));
}

std::string ChatChunks::opening(std::size_t index) const {
    const json::value content = may_call_ ? json::value(nullptr) : json::value("");
    json::array choices;
    choices.push_back(chunk_choice(index, {{"role", "assistant"}, {"content", content}}));
    return chunk(std::move(choices));
}

std::string ChatChunks::piece(std::size_t index, const engine::AnswerDelta& delta,
                              std::span<const engine::TokenLogprob> logprobs) const {
    return choice(chunk_choice(index, delta_json(delta)), logprobs);
}

std::string ChatChunks::ending(std::size_t index, std::string_view finish,
                               std::span<const engine::TokenLogprob> logprobs) const {
    json::object last = chunk_choice(index, {});
    last["finish_reason"] = finish;
    if (!logprobs.empty()) return choice(std::move(last), logprobs);
    json::array choices;
    choices.push_back(std::move(last));
    return chunk(std::move(choices));
}

std::string ChatChunks::usage(const AnswerUsage& usage) const {
    return chunk({}, usage_json(usage));
}

}  // namespace jikji::api
