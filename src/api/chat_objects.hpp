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
    engine::Answer answer;
    std::vector<engine::TokenLogprob> logprobs;
    engine::Finish finish = engine::Finish::kStop;
};

json::object chat_completion_json(const ChatHead& head, const std::vector<ChatChoice>& choices,
                                  bool logprobs, const AnswerUsage& usage);

/// The chunks of one streamed answer, in OpenAI's order: opening() of every choice, piece()s and
/// ending() of each, usage() if it was asked for.
class ChatChunks {
public:
    /// `may_call`: calls of tools may take the content's place.
    ChatChunks(ChatHead head, bool logprobs, bool include_usage, bool may_call = false)
        : head_(std::move(head)),
          logprobs_(logprobs),
          include_usage_(include_usage),
          may_call_(may_call) {}

    /// Its content is "", or null where calls may take its place: what no delta adds to stays so.
    std::string opening(std::size_t index) const;
    std::string piece(std::size_t index, const engine::AnswerDelta& delta,
                      std::span<const engine::TokenLogprob> logprobs) const;
    std::string ending(std::size_t index, std::string_view finish,
                       std::span<const engine::TokenLogprob> logprobs) const;
    std::string usage(const AnswerUsage& usage) const;

private:
    std::string choice(json::object choice, std::span<const engine::TokenLogprob> logprobs) const;
    std::string chunk(json::array choices, json::value usage = nullptr) const;

    ChatHead head_;
    bool logprobs_;
    bool include_usage_;
    bool may_call_;
};

}  // namespace jikji::api
