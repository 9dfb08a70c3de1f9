#include "api/completion_objects.hpp"

#include <fmt/format.h>

namespace jikji::api {
namespace {

std::string legacy_token(std::string_view bytes) {
    std::string text = readable(bytes);
    if (text == bytes) return text;
    text = "bytes:";
    for (const char c : bytes) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    return text;
}

json::object choice_json(std::size_t index, std::string_view text) {
    return {{"text", text}, {"index", index}, {"logprobs", nullptr}, {"finish_reason", nullptr}};
}

json::array one(json::object choice) {
    json::array out;
    out.push_back(std::move(choice));
    return out;
}

}  // namespace

void LegacyLogprobs::add(std::span<const engine::TokenLogprob> tokens) {
    for (const engine::TokenLogprob& token : tokens) {
        json::object top;
        for (const auto& other : token.alternatives)
            top[legacy_token(other.bytes)] = shortest(other.logprob);
        const std::string name = legacy_token(token.bytes);
        top[name] = shortest(token.logprob);
        tokens_.emplace_back(name);
        logprobs_.emplace_back(shortest(token.logprob));
        top_.push_back(std::move(top));
        offsets_.emplace_back(offset_);
        offset_ += code_points(token.bytes);
    }
}

json::object LegacyLogprobs::take() {
    json::object out = {{"tokens", std::move(tokens_)},
                        {"token_logprobs", std::move(logprobs_)},
                        {"top_logprobs", std::move(top_)},
                        {"text_offset", std::move(offsets_)}};
    for (json::array* list : {&tokens_, &logprobs_, &top_, &offsets_}) list->clear();
    return out;
}

json::object CompletionObjects::object(json::array choices) const {
    return {{"id", head_.id},
            {"object", "text_completion"},
            {"created", head_.created},
            {"model", head_.model},
            {"system_fingerprint", head_.fingerprint},
            {"choices", std::move(choices)}};
}

json::object CompletionObjects::whole(std::vector<CompletionChoice> choices,
                                      const engine::Usage& usage) const {
    json::array list;
    for (std::size_t i = 0; i < choices.size(); ++i) {
        json::object choice = choice_json(i, choices[i].text);
        choice["finish_reason"] = finish_name(choices[i].finish);
        if (logprobs_) choice["logprobs"] = choices[i].logprobs.take();
        list.push_back(std::move(choice));
    }
    json::object out = object(std::move(list));
    out["usage"] = usage_json(usage);
    return out;
}

std::string CompletionObjects::chunk(json::array choices, json::value usage) const {
    json::object out = object(std::move(choices));
    if (include_usage_) out["usage"] = std::move(usage);
    return json_text(out);
}

std::string CompletionObjects::text(std::size_t index, std::string_view text,
                                    LegacyLogprobs& logprobs) const {
    json::object choice = choice_json(index, text);
    if (logprobs_) choice["logprobs"] = logprobs.take();
    return chunk(one(std::move(choice)));
}

std::string CompletionObjects::ending(std::size_t index, engine::Finish finish) const {
    json::object choice = choice_json(index, "");
    choice["finish_reason"] = finish_name(finish);
    return chunk(one(std::move(choice)));
}

std::string CompletionObjects::usage(const engine::Usage& usage) const {
    return chunk({}, usage_json(usage));
}

}  // namespace jikji::api
