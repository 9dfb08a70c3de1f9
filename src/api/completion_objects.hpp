#pragma once
// text_completion, whole and in pieces, with the logprobs of the older API. Threads: one; pure.
#include <string>
#include <vector>

#include "api/objects.hpp"

namespace jikji::api {

/// The four parallel lists of the older API, filled token by token. A token that is no whole
/// character is written "bytes:\xe2\x80", as OpenAI does.
class LegacyLogprobs {
public:
    void add(std::span<const engine::TokenLogprob> tokens);
    /// What came since the last take; offsets go on.
    json::object take();

private:
    json::array tokens_, logprobs_, top_, offsets_;
    std::size_t offset_ = 0;  // characters of the text so far
};

struct CompletionChoice {
    std::string text;
    LegacyLogprobs logprobs;
    engine::Finish finish = engine::Finish::kStop;
};

/// Makes the objects of one answer.
class CompletionObjects {
public:
    struct Head {
        std::string id;  // cmpl-…
        std::int64_t created = 0;
        std::string model;
        std::string fingerprint;
    };
    CompletionObjects(Head head, bool logprobs, bool include_usage)
        : head_(std::move(head)), logprobs_(logprobs), include_usage_(include_usage) {}

    json::object whole(std::vector<CompletionChoice> choices, const engine::Usage& usage) const;

    /// Chunks of a stream: text()s and ending() of each choice, usage() if it was asked for.
    std::string text(std::size_t index, std::string_view text, LegacyLogprobs& logprobs) const;
    std::string ending(std::size_t index, engine::Finish finish) const;
    std::string usage(const engine::Usage& usage) const;

private:
    json::object object(json::array choices) const;
    std::string chunk(json::array choices, json::value usage = nullptr) const;

    Head head_;
    bool logprobs_;
    bool include_usage_;
};

}  // namespace jikji::api
