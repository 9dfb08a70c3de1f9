#include "api/chat_objects.hpp"

namespace jikji::api {
namespace {

json::object chunk_choice(std::size_t index, json::object delta) {
    return {{"index", index},
            {"delta", std::move(delta)},
            {"logprobs", nullptr},
            {"finish_reason", nullptr}};
}

}  // namespace

json::object chat_completion_json(const ChatHead& head, const std::vector<ChatChoice>& choices,
                                  bool logprobs, const engine::Usage& usage) {
    json::array list;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        const ChatChoice& choice = choices[i];
        json::object message = {
            {"role", "assistant"}, {"content", choice.text}, {"refusal", nullptr}};
        json::object one = {{"index", i},
                            {"message", std::move(message)},
                            {"logprobs", nullptr},
                            {"finish_reason", finish_name(choice.finish)}};
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

std::string ChatChunks::opening(std::size_t index) const {
    json::array choices;
    choices.push_back(chunk_choice(index, {{"role", "assistant"}, {"content", ""}}));
    return chunk(std::move(choices));
}

std::string ChatChunks::piece(std::size_t index, const engine::Piece& piece) const {
    json::object choice = chunk_choice(index, {{"content", piece.text}});
    if (logprobs_) choice["logprobs"] = chat_logprobs_json(piece.logprobs);
    json::array choices;
    choices.push_back(std::move(choice));
    return chunk(std::move(choices));
}

std::string ChatChunks::ending(std::size_t index, engine::Finish finish) const {
    json::object choice = chunk_choice(index, {});
    choice["finish_reason"] = finish_name(finish);
    json::array choices;
    choices.push_back(std::move(choice));
    return chunk(std::move(choices));
}

std::string ChatChunks::usage(const engine::Usage& usage) const {
    return chunk({}, usage_json(usage));
}

}  // namespace jikji::api
