#include "api/objects.hpp"

#include <charconv>
#include <chrono>

namespace jikji::api {
namespace {

/// Length of the whole character (RFC 3629) at the start of `bytes`; 0 if there is none.
std::size_t character_length(std::string_view bytes) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char lead = at(0);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xc0) != 0x80) return 0;
    }
    const bool overlong = (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xf0 && at(1) < 0x90);
    const bool outside = (lead == 0xed && at(1) > 0x9f) || (lead == 0xf4 && at(1) > 0x8f);
    return overlong || outside ? 0 : length;
}

/// A stop string may cut a call: what is no JSON must not be run.
bool is_json(std::string_view text) {
    boost::system::error_code error;
    json::parse(text, error);
    return !error;
}

json::object token_json(const engine::TokenLogprob& token) {
    json::array bytes;
    bytes.reserve(token.bytes.size());
    for (const char c : token.bytes) bytes.emplace_back(static_cast<unsigned char>(c));
    return {{"token", readable(token.bytes)},
            {"logprob", shortest(token.logprob)},
            {"bytes", std::move(bytes)}};
}

}  // namespace

std::int64_t now_seconds() {
    using namespace std::chrono;
    return duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
}

std::string_view finish_name(engine::Finish finish, const engine::Answer& answer) {
    JIKJI_CHECK(finish != engine::Finish::kCancelled);
    if (finish == engine::Finish::kLength) return "length";
    return !answer.calls.empty() && is_json(answer.calls.back().arguments) ? "tool_calls" : "stop";
}

json::object usage_json(const AnswerUsage& used) {
    const engine::Usage& usage = used.usage;
    json::object details;
    if (used.reasoning_tokens) details["reasoning_tokens"] = *used.reasoning_tokens;
    return {{"prompt_tokens", usage.prompt_tokens},
            {"completion_tokens", usage.completion_tokens},
            {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", usage.cached_tokens}}},
            {"completion_tokens_details", std::move(details)}};
}

json::object chat_logprobs_json(std::span<const engine::TokenLogprob> tokens) {
    json::array content;
    content.reserve(tokens.size());
    for (const engine::TokenLogprob& token : tokens) {
        json::object one = token_json(token);
        json::array& others = one["top_logprobs"].emplace_array();
        for (const auto& other : token.alternatives) others.push_back(token_json(other));
        content.push_back(std::move(one));
    }
    return {{"content", std::move(content)}, {"refusal", nullptr}};
}

json::object list_json(json::array data, bool has_more) {
    json::value first = "";
    json::value last = "";
    if (!data.empty()) {
        first = data.front().at("id");
        last = data.back().at("id");
    }
    return {{"object", "list"},
            {"data", std::move(data)},
            {"has_more", has_more},
            {"first_id", std::move(first)},
            {"last_id", std::move(last)}};
}

json::object deleted_json(std::string_view id, std::string_view object) {
    return {{"id", id}, {"object", object}, {"deleted", true}};
}

std::string readable(std::string_view bytes) {
    std::string out;
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        if (length == 0) {
            out += "\xef\xbf\xbd";
        } else {
            out += bytes.substr(0, length);
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

std::size_t code_points(std::string_view bytes) {
    std::size_t count = 0;
    for (const char c : bytes) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    return count;
}

double shortest(float value) {
    char text[32];
    const auto written = std::to_chars(text, text + sizeof text, value);
    double out = value;
    std::from_chars(text, written.ptr, out);
    return out;
}

std::pair<std::string, std::string> cache_header(service::CacheUse use) {
    const char* name = use == service::CacheUse::kHit    ? "hit"
                       : use == service::CacheUse::kMiss ? "miss"
                                                         : "off";
    return {"x-jikji-cache", name};
}

}  // namespace jikji::api
