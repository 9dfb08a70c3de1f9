// jikji settings show | set, jikji stats, jikji eval answer: small objects of the server.
#include <vector>

#include "base/nearest.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace {

constexpr const char* kSettingsPath = "/v1/settings/generation";

/// "object" tells programs what this is, not people.
void print_members(const json::object& object, const std::string& indent = {}) {
    for (const auto& member : object) {
        if (member.key() == "object") continue;
        if (const auto* inner = member.value().if_object()) {
            print(fmt::format("{}{}\n", indent, std::string_view(member.key())));
            print_members(*inner, indent + "  ");
            continue;
        }
        std::string text = pretty(member.value());
        if (const auto* list = member.value().if_array()) text = json::serialize(*list) + "\n";
        print(fmt::format("{}{} = {}", indent, std::string_view(member.key()), text));
    }
}

void print_object(const json::object& object, bool as_json) {
    if (as_json) {
        print(pretty(object));
    } else {
        print_members(object);
    }
}

/// The text of key=value as the kind of value that the setting has: stop=끝 is a list of one.
json::value value_of(const std::string& text, const json::value& now) {
    boost::system::error_code bad;
    json::value parsed = json::parse(text, bad);
    if (now.is_array() && (bad || !parsed.is_array())) return json::array{json::string(text)};
    return bad ? json::value(json::string(text)) : parsed;
}

[[noreturn]] void throw_unknown(const std::string& key, const json::object& settings) {
    std::vector<std::string> known;
    for (const auto& member : settings) {
        if (member.key() != "object") known.emplace_back(member.key());
    }
    const std::string meant = nearest(key, known);
    const std::string list = fmt::format("{}", fmt::join(known, ", "));
    throw Error(ErrorCode::kInvalidArgument,
                meant.empty()
                    ? fmt::format("there is no setting '{}'; there are: {}", key, list)
                    : fmt::format("there is no setting '{}'; did you mean '{}'?", key, meant),
                key,
                meant.empty()
                    ? fmt::format("설정 '{}'이(가) 없습니다. 있는 설정: {}", key, list)
                    : fmt::format("설정 '{}'이(가) 없습니다. '{}'을(를) 찾으셨나요?", key, meant));
}

json::object changes(const std::vector<std::string>& assignments, const json::object& settings) {
    json::object out;
    for (const std::string& assignment : assignments) {
        const auto equals = assignment.find('=');
        const std::string key = assignment.substr(0, equals);
        const auto* now = settings.if_contains(key);
        if (now == nullptr || key == "object") throw_unknown(key, settings);
        if (equals == std::string::npos) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("{} has no value; write it as {}=VALUE", key, key), key,
                        fmt::format("{}에 값이 없습니다. {}=값으로 쓰세요.", key, key));
        }
        out[key] = value_of(assignment.substr(equals + 1), *now);
    }
    return out;
}

}  // namespace

int settings_show(const SettingsOptions& options) {
    const Session session(options.common);
    const auto answer = session.client().request("GET", kSettingsPath);
    print_object(parse_object(answer.body), options.json);
    return kDone;
}

int settings_set(const SettingsOptions& options) {
    const Session session(options.common);
    http::Client client = session.client();
    const json::object now = parse_object(client.request("GET", kSettingsPath).body);
    const std::string body = json::serialize(changes(options.assignments, now));
    print_object(parse_object(client.request("PATCH", kSettingsPath, body).body), options.json);
    return kDone;
}

int stats(const StatsOptions& options) {
    const Session session(options.common);
    print_object(parse_object(session.client().request("GET", "/v1/stats").body), options.json);
    return kDone;
}

int eval_answer(const EvalOptions& options) {
    const Session session(options.common);
    json::object body = {{"response", options.response}};
    if (options.expected) body["expected"] = *options.expected;
    const auto answer = session.client().request("POST", "/v1/evaluate", json::serialize(body));
    print_object(parse_object(answer.body), options.json);
    return kDone;
}

}  // namespace jikji::cli
