#include "service/prompt_library.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/nearest.hpp"
#include "storage/connection.hpp"
#include "storage/database.hpp"
#include "storage/prompts_table.hpp"
#include "storage/settings_table.hpp"

namespace jikji::service {
namespace {

using prompts::Template;
using storage::Connection;
using storage::PromptsTable;

constexpr const char* kSeeded = "prompts.roles_seeded";
constexpr std::string_view kSystemFirst = "{system}\n\n";
constexpr std::string_view kPlainTurn = "User: {user}\nAssistant:";

storage::PromptRow row_of(const Template& t) {
    storage::PromptRow row{
        t.id,         t.name, t.system_prompt, t.user_template, t.assistant_template, t.is_active,
        t.created_at, {}};
    for (const auto& example : t.examples)
        row.examples.emplace_back(example.user, example.assistant);
    return row;
}

Template template_of(const storage::PromptRow& row) {
    Template t{row.id,
               row.name,
               row.system_prompt,
               row.user_template,
               row.assistant_template,
               row.is_active,
               row.created_at,
               {}};
    for (const auto& [user, assistant] : row.examples) t.examples.push_back({user, assistant});
    return t;
}

std::int64_t seconds_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

Template require(const PromptsTable& table, const std::string& id_or_name) {
    if (const auto row = table.find(id_or_name)) return template_of(*row);
    std::vector<std::string> names;
    for (const auto& row : table.list()) names.push_back(row.name);
    const std::string meant = nearest(id_or_name, names);
    throw Error(
        ErrorCode::kNotFound,
        meant.empty()
            ? fmt::format("there is no prompt '{}'; see the list with: jikji prompts list",
                          id_or_name)
            : fmt::format("there is no prompt '{}'; did you mean '{}'?", id_or_name, meant),
        "prompt.id",
        meant.empty()
            ? fmt::format("프롬프트 '{}'이(가) 없습니다. 목록 보기: jikji prompts list", id_or_name)
            : fmt::format("프롬프트 '{}'이(가) 없습니다. '{}'을(를) 찾으셨나요?", id_or_name,
                          meant));
}

void require_free(const PromptsTable& table, const Template& t) {
    const auto row = table.find(t.name);
    if (!row || row->id == t.id) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("a prompt named '{}' exists already; choose another name, or change "
                            "that one",
                            t.name),
                "name",
                fmt::format("'{}'(이)라는 프롬프트가 이미 있습니다. 다른 이름을 고르거나 그것을 "
                            "고치세요.",
                            t.name));
}

void seed(Connection& connection) {
    storage::SettingsTable settings(connection);
    if (settings.get(kSeeded)) return;
    PromptsTable table(connection);
    for (Template& role : prompts::ready_made_roles()) {
        if (table.find(role.name)) continue;
        role.id = make_id("prompt_");
        role.created_at = seconds_now();
        table.insert(row_of(role));
    }
    settings.put(kSeeded, "1");
}

template <typename Value>
void take(const std::optional<Value>& given, Value& target) {
    if (given) target = *given;
}

[[noreturn]] void throw_variables(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, english, "prompt.variables", korean);
}

/// A value for a name that the template lacks would vanish in silence.
void check_known(const std::map<std::string, std::string>& given,
                 const std::string& user_template) {
    std::set<std::string> wanted = prompts::variables_of(user_template);
    wanted.erase("system");
    const std::vector<std::string> names(wanted.begin(), wanted.end());
    for (const auto& [name, value] : given) {
        if (wanted.contains(name)) continue;
        const std::string meant = nearest(name, names);
        throw_variables(
            fmt::format("the template has no variable '{}'; {}", name,
                        meant.empty() ? fmt::format("it has: {}", fmt::join(names, ", "))
                                      : fmt::format("did you mean '{}'?", meant)),
            fmt::format("템플릿에 변수 '{}'이(가) 없습니다. 있는 변수: {}", name,
                        fmt::join(names, ", ")));
    }
}

/// Where the user's words come from: the last user message, or the variable `user`.
using Place = std::vector<engine::Message>::const_iterator;
Place last_user(const std::vector<engine::Message>& given) {
    const auto found = std::find_if(given.rbegin(), given.rend(),
                                    [](const auto& message) { return message.role == "user"; });
    return found == given.rend() ? given.end() : std::prev(found.base());
}

/// The system text of the template, then that of the request; empty if neither has one.
std::string system_text(const Template& t, bool inlined,
                        const std::vector<engine::Message>& given) {
    std::string out = inlined ? std::string() : t.system_prompt;
    for (const engine::Message& message : given) {
        if (message.role != "system" || message.content.empty()) continue;
        out += (out.empty() ? "" : "\n\n") + message.content;
    }
    return out;
}

/// user_template without what a chat model says by itself: the system text in front, which becomes
/// the system message, and the bare "User: …\nAssistant:", which is the chat template's work.
std::string turn_of(const std::string& user_template) {
    std::string out = user_template;
    if (out.starts_with(kSystemFirst)) out.erase(0, kSystemFirst.size());
    if (out.empty() || out == kPlainTurn) return "{user}";
    return out;
}

std::string user_turn(const Template& t, const std::string& turn, const std::string* user,
                      std::map<std::string, std::string> variables) {
    variables["system"] = t.system_prompt;
    if (user != nullptr) variables["user"] = *user;
    std::string out = prompts::fill(turn, variables);
    // A template without {user} stands before the user's words, which must not be lost.
    if (user != nullptr && !prompts::variables_of(turn).contains("user")) out += "\n\n" + *user;
    return out;
}

}  // namespace

PromptLibrary::PromptLibrary(storage::Database& database) : database_(database) {
    database_.write(seed);
}

std::vector<Template> PromptLibrary::list() const {
    std::vector<Template> out;
    database_.read([&out](Connection& connection) {
        for (const auto& row : PromptsTable(connection).list()) out.push_back(template_of(row));
    });
    return out;
}

Template PromptLibrary::get(const std::string& id_or_name) const {
    Template out;
    database_.read(
        [&](Connection& connection) { out = require(PromptsTable(connection), id_or_name); });
    return out;
}

Template PromptLibrary::create(Template fresh) {
    prompts::validate(fresh);
    fresh.id = make_id("prompt_");
    fresh.created_at = seconds_now();
    database_.write([&fresh](Connection& connection) {
        PromptsTable table(connection);
        require_free(table, fresh);
        table.insert(row_of(fresh));
        if (fresh.is_active) table.only_active(fresh.id);
    });
    return fresh;
}

Template PromptLibrary::update(const std::string& id_or_name,
                               const prompts::TemplateChange& change) {
    Template t;
    database_.write([&](Connection& connection) {
        PromptsTable table(connection);
        t = require(table, id_or_name);
        take(change.name, t.name);
        take(change.system_prompt, t.system_prompt);
        take(change.user_template, t.user_template);
        take(change.assistant_template, t.assistant_template);
        take(change.is_active, t.is_active);
        take(change.examples, t.examples);
        prompts::validate(t);
        require_free(table, t);
        table.update(row_of(t));
        if (t.is_active) table.only_active(t.id);
    });
    return t;
}

void PromptLibrary::remove(const std::string& id_or_name) {
    database_.write([&](Connection& connection) {
        PromptsTable table(connection);
        table.remove(require(table, id_or_name).id);
    });
}

std::optional<Template> PromptLibrary::active() const {
    std::optional<Template> out;
    database_.read([&out](Connection& connection) {
        if (const auto row = PromptsTable(connection).active()) out = template_of(*row);
    });
    return out;
}

std::vector<engine::Message> PromptLibrary::messages(
    const PromptReference& reference, const std::vector<engine::Message>& given) const {
    const Template t = get(reference.id);
    const std::string turn = turn_of(t.user_template);
    check_known(reference.variables, turn);
    const Place words = last_user(given);
    if (words != given.end() && reference.variables.contains("user")) {
        throw_variables("user is given twice, as a variable and as the last user message; give one",
                        "user가 변수와 마지막 사용자 메시지로 두 번 주어졌습니다. 하나만 주세요.");
    }
    std::vector<engine::Message> out;
    const bool inlined = prompts::variables_of(turn).contains("system");
    const std::string system = system_text(t, inlined, given);
    if (!system.empty()) out.push_back({"system", system});
    for (const prompts::Example& example : t.examples) {
        out.push_back({"user", example.user});
        out.push_back({"assistant", example.assistant});
    }
    for (auto message = given.begin(); message != given.end(); ++message) {
        if (message->role == "system") continue;
        out.push_back(*message);
        if (message == words)
            out.back().content = user_turn(t, turn, &message->content, reference.variables);
    }
    if (words == given.end()) {
        out.push_back({"user", user_turn(t, turn, nullptr, reference.variables)});
    }
    return out;
}

}  // namespace jikji::service
