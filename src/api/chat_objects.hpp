#pragma once
// chat.completion and chat.completion.chunk. Threads: one; pure.
#include <string>
#include <vector>

#include "api/objects.hpp"

namespace jikji::api {

/// What is the same in every object of one answer.
struct ChatHead {
    std::string id;  // chatcmpl-…
    std::int64_t created = 0;
    std::string model;
    std::string fingerprint;
};

/// One whole choice.
struct ChatChoice {
    std::string text;
    std::vector<engine::TokenLogprob> logprobs;
    engine::Finish finish = engine::Finish::kStop;
};

json::object chat_completion_json(const ChatHead& head, const std::vector<ChatChoice>& choices,
                                  bool logprobs, const engine::Usage& usage);

/// The chunks of one streamed answer, in OpenAI's order: opening() of every choice, piece()s and
/// ending() of each, usage() if it was asked for.
class ChatChunks {
public:
    ChatChunks(ChatHead head, bool logprobs, bool include_usage)
        : head_(std::move(head)), logprobs_(logprobs), include_usage_(include_usage) {}

    std::string opening(std::size_t index) const;
    std::string piece(std::size_t index, const engine::Piece& piece) const;
    std::string ending(std::size_t index, engine::Finish finish) const;
    std::string usage(const engine::Usage& usage) const;

private:
    std::string chunk(json::array choices, json::value usage = nullptr) const;

    ChatHead head_;
    bool logprobs_;
    bool include_usage_;
};

}  // namespace jikji::api
