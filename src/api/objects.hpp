#pragma once
// Parts that several of OpenAI's objects share. Threads: any; pure.
#include <boost/json.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "api/json_text.hpp"
#include "http/reply.hpp"
#include "service/generation.hpp"

namespace jikji::api {

namespace json = boost::json;

/// Seconds since 1970.
std::int64_t now_seconds();

/// "stop" or "length"; "tool_calls" where a text that ended by itself holds whole calls. Requires:
/// not kCancelled.
std::string_view finish_name(engine::Finish finish, const engine::Answer& answer = {});

/// What an answer used. Without `reasoning_tokens` they are not known, and their key is left out.
struct AnswerUsage {
    AnswerUsage(const engine::Usage& given, std::optional<int> reasoning = 0)
        : usage(given), reasoning_tokens(reasoning) {}
    engine::Usage usage;
    std::optional<int> reasoning_tokens;
};
/// usage of chat and completions, details included.
json::object usage_json(const AnswerUsage& used);

/// {"content": […], "refusal": null}
json::object chat_logprobs_json(std::span<const engine::TokenLogprob> tokens);

/// {"object": "list", "data": …, "has_more", "first_id", "last_id"}; the ids are the items' own.
json::object list_json(json::array data, bool has_more);

/// {"id", "object", "deleted": true}
json::object deleted_json(std::string_view id, std::string_view object);

/// The text with every byte that is no part of a whole character replaced by U+FFFD.
std::string readable(std::string_view bytes);

/// Characters that begin in `bytes`.
std::size_t code_points(std::string_view bytes);

/// The double whose shortest form is that of the float: 0.7, not 0.699999988.
double shortest(float value);

/// x-jikji-cache: hit, miss or off.
std::pair<std::string, std::string> cache_header(service::CacheUse use);

}  // namespace jikji::api
