#include "cli/batch_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"

namespace jikji::cli {
namespace {

constexpr const char* kChatPath = "/v1/chat/completions";
constexpr std::string_view kPaths[] = {kChatPath, "/v1/completions", "/v1/embeddings"};

[[noreturn]] void refuse(const char* field, const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, english, field, korean);
}

json::value parsed(std::string_view line) {
    if (line.size() > limits::kJsonBodyBytes) {
        refuse("",
               fmt::format("the line has {} bytes; at most {} can be sent", line.size(),
                           limits::kJsonBodyBytes),
               fmt::format("줄이 {}바이트입니다. {}바이트까지 보낼 수 있습니다.", line.size(),
                           limits::kJsonBodyBytes));
    }
    boost::system::error_code bad;
    json::value value = json::parse(line, bad);
    if (bad) {
        refuse("", "the line is not JSON: " + bad.message(),
               "JSON이 아닌 줄입니다: " + bad.message());
    }
    return value;
}

json::array one_message(const json::value& text) {
    return {json::object{{"role", "user"}, {"content", text}}};
}

void refuse_stream(const json::object& body) {
    if (!flag_at(body, "stream")) return;
    refuse("stream", "stream is true; a batch answers whole lines, leave it out",
           "stream이 true입니다. 배치는 한 줄씩 답하므로 빼 주세요.");
}

BatchRequest openai_line(json::object& line) {
    const std::string url = text_at(line, "url"), method = text_at(line, "method");
    if (method != "POST") {
        refuse("method", fmt::format("method is '{}'; give POST", method),
               fmt::format("method가 '{}'입니다. POST를 주세요.", method));
    }
    if (std::find(std::begin(kPaths), std::end(kPaths), url) == std::end(kPaths)) {
        refuse("url", fmt::format("url is '{}'; give one of {}", url, fmt::join(kPaths, ", ")),
               fmt::format("url이 '{}'입니다. 다음 중 하나를 주세요: {}", url,
                           fmt::join(kPaths, ", ")));
    }
    const auto* body = line.if_contains("body");
    if (body == nullptr || !body->is_object()) {
        refuse("body", "body is missing; give the request as an object",
               "body가 없습니다. 요청을 객체로 주세요.");
    }
    refuse_stream(body->as_object());
    return {{}, url, json::serialize(*body)};
}

BatchRequest chat_line(json::object body, const json::object& settings,
                       const GenerationFlags& flags) {
    if (!body.contains("messages")) {
        const auto* prompt = body.if_contains("prompt");
        if (prompt == nullptr || !prompt->is_string()) {
            refuse("",
                   "the line has neither messages nor a prompt; give a text, {\"prompt\": …} or "
                   "{\"messages\": […]}",
                   "messages도 prompt도 없는 줄입니다. 글, {\"prompt\": …}, {\"messages\": […]} 중 "
                   "하나를 주세요.");
        }
        body["messages"] = one_message(*prompt);
        body.erase("prompt");
    }
    refuse_stream(body);
    json::object whole;
    put_generation(whole, settings, flags);
    for (auto& member : body) whole[member.key()] = std::move(member.value());
    return {{}, kChatPath, json::serialize(whole)};
}

/// The words of a chat or completion answer; null for an embedding.
json::value text_of(const json::object& body) {
    const json::array& choices = list_at(body, "choices");
    if (choices.empty()) return nullptr;
    const json::object& choice = choices.front().as_object();
    const auto* message = choice.if_contains("message");
    return message != nullptr && message->is_object()
               ? json::value(text_at(message->as_object(), "content"))
               : json::value(text_at(choice, "text"));
}

json::object answer_line(std::size_t line, const std::string& custom_id) {
    json::object out = {{"id", make_id("batch_req_")}, {"line", line}, {"custom_id", nullptr}};
    if (!custom_id.empty()) out["custom_id"] = custom_id;
    return out;
}

}  // namespace

BatchRequest read_batch_line(std::string_view line, const json::object& settings,
                             const GenerationFlags& flags) {
    json::value value = parsed(line);
    if (value.is_string()) value = json::object{{"prompt", std::move(value)}};
    if (!value.is_object()) {
        refuse("", "the line is neither a text nor an object", "글도 객체도 아닌 줄입니다.");
    }
    json::object& object = value.as_object();
    std::string custom_id = text_at(object, "custom_id");
    object.erase("custom_id");
    const bool openai = object.contains("url") || object.contains("method");
    BatchRequest out = openai ? openai_line(object) : chat_line(std::move(object), settings, flags);
    out.custom_id = std::move(custom_id);
    return out;
}

std::string batch_answer(std::size_t line, const std::string& custom_id,
                         const http::Answer& answer) {
    json::object body = parse_object(answer.body);
    if (answer.status >= 400) {
        const json::object& error = object_at(body, "error");
        return batch_failure(line, custom_id, text_at(error, "code"), text_at(error, "message"));
    }
    json::object out = answer_line(line, custom_id);
    out["text"] = text_of(body);
    out["response"] = {{"status_code", answer.status},
                       {"request_id", answer.header("x-request-id")},
                       {"body", std::move(body)}};
    out["error"] = nullptr;
    return json::serialize(out);
}

std::string batch_failure(std::size_t line, const std::string& custom_id, const std::string& code,
                          const std::string& message) {
    json::object out = answer_line(line, custom_id);
    out["text"] = nullptr;
    out["response"] = nullptr;
    out["error"] = {{"code", code}, {"message", message}, {"line", line}};
    return json::serialize(out);
}

}  // namespace jikji::cli
