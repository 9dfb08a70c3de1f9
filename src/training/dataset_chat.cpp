#include "training/dataset_chat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <iterator>

#include "base/limits.hpp"
#include "base/nearest.hpp"
#include "text/normalise.hpp"

namespace jikji::training {
namespace json = boost::json;
namespace {

constexpr std::string_view kRoles = "system, developer, user, assistant";

[[noreturn]] void wrong_kind(const Place& place, const std::string& path, const json::value& value,
                             std::string_view wanted, std::string_view wanted_korean) {
    refuse(place, fmt::format("{} is {}; give {}", path, kind_of(value), wanted),
           fmt::format("{} 값의 종류가 다릅니다. {} 주세요.", path, wanted_korean));
}

[[noreturn]] void refuse_tools(const Place& place, const std::string& path) {
    refuse(
        place,
        fmt::format("{} is there, but tool calls cannot be learnt yet; take these lines out", path),
        fmt::format("{} 항목이 있지만 도구 호출은 아직 학습할 수 없습니다. 이런 줄은 빼 주세요.",
                    path));
}

std::string role_of(const json::object& message, const std::string& path, const Place& place) {
    const std::string role = text_at(message, "role", path, place);
    if (role == "developer") return "system";  // OpenAI's newer name for it
    if (role == "system" || role == "user" || role == "assistant") return role;
    if (role == "tool" || role == "function") {
        refuse_tools(place, fmt::format("{}role '{}'", path, role));
    }
    const std::string known[] = {"system", "developer", "user", "assistant"};
    const std::string meant = nearest(role, known);
    refuse(place,
           fmt::format("{}role is '{}'{}; give one of {}", path, role,
                       meant.empty() ? "" : fmt::format(", did you mean {}?", meant), kRoles),
           fmt::format("{}role 값이 '{}'입니다.{} 다음 중 하나를 주세요: {}", path, role,
                       meant.empty() ? "" : fmt::format(" {}를 뜻하셨나요?", meant), kRoles));
}

/// OpenAI's list of parts, of which only texts can be learnt.
std::string joined_parts(const json::array& parts, const std::string& path, const Place& place) {
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::string at = fmt::format("{}content[{}]", path, i);
        const json::object& part = object_of(parts[i], at, place);
        const std::string type = text_at(part, "type", at + ".", place);
        if (type != "text") {
            refuse(place,
                   fmt::format("{}.type is '{}'; only parts of type text can be learnt", at, type),
                   fmt::format("{}.type 값이 '{}'입니다. text만 학습할 수 있습니다.", at, type));
        }
        out += text_at(part, "text", at + ".", place);
    }
    return out;
}

std::string content_of(const json::object& message, const std::string& path, const Place& place) {
    const json::value* value = message.if_contains("content");
    if (value != nullptr && value->is_array()) return joined_parts(value->as_array(), path, place);
    return text_at(message, "content", path, place);
}

bool weighs(const json::object& message, const std::string& path, const Place& place) {
    const json::value* value = message.if_contains("weight");
    if (value == nullptr || value->is_null()) return true;
    if (value->is_number()) {
        const double weight = value->to_number<double>();
        if (weight == 0 || weight == 1) return weight == 1;
    }
    const std::string shown =
        value->is_number() ? json::serialize(*value) : std::string(kind_of(*value));
    refuse(place, fmt::format("{}weight is {}; give 0 or 1", path, shown),
           fmt::format("{}weight 값이 {}입니다. 0 또는 1을 주세요.", path, shown));
}

ChatTurn turn_of(const json::value& value, std::size_t index, const Place& place) {
    const std::string at = fmt::format("messages[{}]", index), path = at + ".";
    const json::object& message = object_of(value, at, place);
    for (const char* name : {"tool_calls", "function_call"}) {
        const json::value* calls = message.if_contains(name);
        if (calls != nullptr && !calls->is_null()) refuse_tools(place, path + name);
    }
    ChatTurn turn;
    turn.role = role_of(message, path, place);
    turn.content = content_of(message, path, place);
    const bool weight = weighs(message, path, place);
    turn.learnt = weight && turn.role == "assistant" && !text::strip(turn.content).empty();
    return turn;
}

const json::array& messages_of(const json::object& object, const Place& place) {
    const json::value& value = object.at("messages");
    if (!value.is_array()) wrong_kind(place, "messages", value, "a list of turns", "대화 목록을");
    const json::array& messages = value.as_array();
    if (messages.empty() || messages.size() > limits::kMessages) {
        refuse(
            place,
            fmt::format("messages has {} turns; give 1 to {}", messages.size(), limits::kMessages),
            fmt::format("messages가 {}개입니다. 1개에서 {}개까지 주세요.", messages.size(),
                        limits::kMessages));
    }
    return messages;
}

/// What follows the last answer teaches nothing.
void drop_after_last_answer(Record& record, const Place& place, DataReport& report) {
    const auto answer = [](const ChatTurn& turn) { return turn.role == "assistant"; };
    const auto last = std::find_if(record.turns.rbegin(), record.turns.rend(), answer).base();
    if (last == record.turns.begin()) {
        refuse(place, "messages has no turn of the assistant, so that there is nothing to learn",
               "messages에 assistant 차례가 없어서 배울 것이 없습니다.");
    }
    if (last == record.turns.end()) return;
    record.turns.erase(last, record.turns.end());
    note(report, place.line, "turns after the last answer are not used",
         "마지막 답 뒤의 차례는 쓰지 않습니다");
}

void note_what_is_left_out(const json::object& object, const Place& place, DataReport& report) {
    for (const char* name : {"tools", "functions"}) {
        const json::value* tools = object.if_contains(name);
        if (tools == nullptr || tools->is_null()) continue;
        note(report, place.line, fmt::format("{} is not used; only messages are", name),
             fmt::format("{} 항목은 쓰지 않고 messages만 씁니다", name));
    }
}

}  // namespace

std::string_view kind_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null: return "null";
        case json::kind::bool_: return "true or false";
        case json::kind::string: return "a text";
        case json::kind::array: return "a list";
        case json::kind::object: return "an object";
        default: return "a number";
    }
}

std::string text_at(const json::object& object, std::string_view name, std::string_view path,
                    const Place& place) {
    const json::value* value = object.if_contains(name);
    const std::string at = fmt::format("{}{}", path, name);
    if (value == nullptr) {
        refuse(place, fmt::format("{} is missing; give a text", at),
               fmt::format("{} 항목이 없습니다. 글을 주세요.", at));
    }
    if (!value->is_string()) wrong_kind(place, at, *value, "a text", "글을");
    return std::string(std::string_view(value->as_string()));
}

std::string optional_text_at(const json::object& object, std::string_view name,
                             std::string_view path, const Place& place) {
    const json::value* value = object.if_contains(name);
    return value == nullptr || value->is_null() ? std::string()
                                                : text_at(object, name, path, place);
}

const json::object& object_of(const json::value& value, std::string_view path, const Place& place) {
    if (!value.is_object()) wrong_kind(place, std::string(path), value, "an object", "객체를");
    return value.as_object();
}

Record chat_record(const json::object& object, const Place& place, DataReport& report) {
    const json::array& messages = messages_of(object, place);
    Record record;
    record.line = place.line;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        record.turns.push_back(turn_of(messages[i], i, place));
    }
    drop_after_last_answer(record, place, report);
    note_what_is_left_out(object, place, report);
    return record;
}

}  // namespace jikji::training
