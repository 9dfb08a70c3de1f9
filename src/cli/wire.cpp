#include "cli/wire.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace jikji::cli {
namespace {

constexpr int kPageSize = 100;

template <typename Value>
void put(json::object& body, const char* name, const std::optional<Value>& value) {
    if (value) body[name] = *value;
}

json::object prompt_reference(const GenerationFlags& flags) {
    json::object variables;
    for (const std::string& assignment : flags.variables) {
        const auto equals = assignment.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("--var is '{}'; write it as name=value", assignment), "var",
                        fmt::format("--var 값이 '{}'입니다. 이름=값으로 쓰세요.", assignment));
        }
        variables[assignment.substr(0, equals)] = assignment.substr(equals + 1);
    }
    json::object out = {{"id", flags.prompt}};
    if (!variables.empty()) out["variables"] = std::move(variables);
    return out;
}

void write(std::string& out, const json::value& value, int depth);

template <typename Container, typename WriteItem>
void write_items(std::string& out, const Container& items, char open, char close, int depth,
                 WriteItem write_item) {
    out += open;
    bool first = true;
    for (const auto& item : items) {
        out += fmt::format("{}\n{:{}}", first ? "" : ",", "", 2 * (depth + 1));
        first = false;
        write_item(item);
    }
    if (!first) out += fmt::format("\n{:{}}", "", 2 * depth);
    out += close;
}

void write(std::string& out, const json::value& value, int depth) {
    if (const auto* object = value.if_object()) {
        write_items(out, *object, '{', '}', depth, [&](const json::key_value_pair& pair) {
            out += json::serialize(json::string(pair.key())) + ": ";
            write(out, pair.value(), depth + 1);
        });
    } else if (const auto* array = value.if_array()) {
        write_items(out, *array, '[', ']', depth,
                    [&](const json::value& item) { write(out, item, depth + 1); });
    } else if (value.is_double()) {
        out += fmt::format("{}", value.get_double());
    } else {
        out += json::serialize(value);
    }
}

}  // namespace

json::object parse_object(std::string_view text) {
    boost::system::error_code bad;
    json::value value = json::parse(text, bad);
    if (bad || !value.is_object()) {
        throw Error(ErrorCode::kInternal, "the server's answer is not a JSON object", "",
                    "서버의 응답이 JSON 객체가 아닙니다.");
    }
    return std::move(value.as_object());
}

std::string text_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

double number_at(const json::object& object, std::string_view name, double otherwise) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_number() ? value->to_number<double>() : otherwise;
}

bool flag_at(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_bool() && value->as_bool();
}

const json::array& list_at(const json::object& object, std::string_view name) {
    static const json::array empty;
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_array() ? value->as_array() : empty;
}

const json::object& object_at(const json::object& object, std::string_view name) {
    static const json::object empty;
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_object() ? value->as_object() : empty;
}

std::string percent_encoded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

std::string pretty(const json::value& value) {
    std::string out;
    write(out, value, 0);
    return out + '\n';
}

std::vector<json::object> all_items(http::Client& client, const std::string& path) {
    std::vector<json::object> out;
    std::string after;
    while (true) {
        const std::string query =
            fmt::format("{}?limit={}{}{}", path, kPageSize,
                        after.empty() ? "" : "&after=", percent_encoded(after));
        const json::object page = parse_object(client.request("GET", query).body);
        for (const json::value& item : list_at(page, "data")) out.push_back(item.as_object());
        const std::string last = out.empty() ? std::string() : text_at(out.back(), "id");
        if (!flag_at(page, "has_more") || last == after) return out;
        after = last;
    }
}

std::string find_collection(http::Client& client, const std::string& name) {
    for (const json::object& one : all_items(client, "/v1/vector_stores")) {
        if (text_at(one, "name") == name) return text_at(one, "id");
    }
    return {};
}

void put_flags(json::object& body, const GenerationFlags& flags) {
    if (!flags.model.empty()) body["model"] = flags.model;
    put(body, "temperature", flags.temperature);
    put(body, "top_p", flags.top_p);
    put(body, "top_k", flags.top_k);
    put(body, "min_p", flags.min_p);
    put(body, "repeat_penalty", flags.repeat_penalty);
    put(body, "presence_penalty", flags.presence_penalty);
    put(body, "frequency_penalty", flags.frequency_penalty);
    put(body, "max_tokens", flags.max_tokens);
    put(body, "seed", flags.seed);
    if (!flags.stop.empty()) body["stop"] = json::array(flags.stop.begin(), flags.stop.end());
    if (!flags.prompt.empty()) body["prompt"] = prompt_reference(flags);
    if (!flags.use_cache) body["use_cache"] = false;
}

void put_generation(json::object& body, const json::object& settings,
                    const GenerationFlags& flags) {
    body["model"] = "";  // the server's default
    put_flags(body, flags);
    for (const char* name :
         {"max_tokens", "temperature", "top_p", "top_k", "repeat_penalty", "stop"}) {
        const auto* value = settings.if_contains(name);
        if (value != nullptr && !body.contains(name)) body[name] = *value;
    }
}

}  // namespace jikji::cli
