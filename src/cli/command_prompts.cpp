// jikji prompts list | show | create | edit | delete.
#include "base/progress.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace {

constexpr int kNameColumns = 20;
constexpr int kTextColumns = 54;

std::string path_of(const std::string& name) { return "/v1/prompts/" + percent_encoded(name); }

std::string in_one_line(std::string text) {
    for (char& c : text) c = c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    return text;
}

std::string list_line(const json::object& prompt) {
    return fmt::format("{} {} {}\n", flag_at(prompt, "is_active") ? "*" : " ",
                       fit_columns(in_one_line(text_at(prompt, "name")), kNameColumns),
                       fit_columns(in_one_line(text_at(prompt, "system_prompt")), kTextColumns));
}

void show(const json::object& prompt, Language language) {
    const auto line = [](std::string_view label, const std::string& text) {
        print(fmt::format("{}:\n  {}\n", label, text));
    };
    print(fmt::format("{} ({}){}\n", text_at(prompt, "name"), text_at(prompt, "id"),
                      flag_at(prompt, "is_active") ? say(language, ", active", ", 사용 중") : ""));
    line("system_prompt", text_at(prompt, "system_prompt"));
    line("user_template", text_at(prompt, "user_template"));
    line("assistant_template", text_at(prompt, "assistant_template"));
    for (const json::value& example : list_at(prompt, "examples")) {
        print(fmt::format("example:\n  User: {}\n  Assistant: {}\n",
                          text_at(example.as_object(), "user"),
                          text_at(example.as_object(), "assistant")));
    }
}

void show_or_dump(const PromptsOptions& options, const json::object& prompt) {
    if (options.json) {
        print(pretty(prompt));
    } else {
        show(prompt, options.common.language);
    }
}

json::object body_of(const PromptFields& fields) {
    json::object out;
    const auto put = [&out](const char* name, const auto& value) {
        if (value) out[name] = *value;
    };
    put("name", fields.name);
    put("system_prompt", fields.system_prompt);
    put("user_template", fields.user_template);
    put("assistant_template", fields.assistant_template);
    put("is_active", fields.active);
    json::array examples;
    for (const auto& [user, assistant] : fields.examples) {
        examples.push_back({{"user", user}, {"assistant", assistant}});
    }
    if (!examples.empty() || fields.no_examples) out["examples"] = std::move(examples);
    return out;
}

}  // namespace

int prompts_list(const PromptsOptions& options) {
    const Session session(options.common);
    http::Client client = session.client();
    const std::vector<json::object> all = all_items(client, "/v1/prompts");
    if (options.json) {
        print(pretty(json::array(all.begin(), all.end())));
        return kDone;
    }
    for (const json::object& prompt : all) print(list_line(prompt));
    return kDone;
}

int prompts_show(const PromptsOptions& options) {
    const Session session(options.common);
    const auto answer = session.client().request("GET", path_of(options.name));
    show_or_dump(options, parse_object(answer.body));
    return kDone;
}

int prompts_create(const PromptsOptions& options) {
    const Session session(options.common);
    json::object body = body_of(options.fields);
    body["name"] = options.name;
    const auto answer = session.client().request("POST", "/v1/prompts", json::serialize(body));
    show_or_dump(options, parse_object(answer.body));
    return kDone;
}

int prompts_edit(const PromptsOptions& options) {
    const json::object body = body_of(options.fields);
    if (body.empty()) {
        tell(options.common.language, "nothing to change; see: jikji prompts edit --help",
             "바꿀 것이 없습니다. 도움말: jikji prompts edit --help");
        return kUsage;
    }
    const Session session(options.common);
    const auto answer =
        session.client().request("PATCH", path_of(options.name), json::serialize(body));
    show_or_dump(options, parse_object(answer.body));
    return kDone;
}

int prompts_delete(const PromptsOptions& options) {
    const Session session(options.common);
    session.client().request("DELETE", path_of(options.name));
    print(fmt::format(
        fmt::runtime(say(options.common.language, "deleted {}\n", "{} 삭제했습니다.\n")),
        options.name));
    return kDone;
}

}  // namespace jikji::cli
