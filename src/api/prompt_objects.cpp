#include "api/prompt_objects.hpp"

#include "api/fields.hpp"

namespace jikji::api {
namespace {

using http::Fields;

constexpr std::size_t kExamples = 100;
constexpr std::size_t kTextBytes = 64 * 1024;  // of one text of a template

std::optional<std::string> read_text(Fields& fields, std::string_view name) {
    auto text = fields.optional_string(name);
    if (text) check_bytes(fields.path_of(name), *text, kTextBytes);
    return text;
}

std::optional<std::vector<prompts::Example>> read_examples(Fields& fields) {
    const json::array* list = fields.optional_array("examples", kExamples);
    if (!list) return std::nullopt;
    std::vector<prompts::Example> out;
    for (std::size_t i = 0; i < list->size(); ++i) {
        Fields example = Fields::of((*list)[i], http::path_at("examples", i));
        prompts::Example one;
        one.user = example.required_string("user");
        one.assistant = example.required_string("assistant");
        example.refuse_unknown();
        out.push_back(std::move(one));
    }
    return out;
}

prompts::TemplateChange read_change(Fields& fields) {
    prompts::TemplateChange out;
    out.name = fields.optional_string("name");
    out.system_prompt = read_text(fields, "system_prompt");
    out.user_template = read_text(fields, "user_template");
    out.assistant_template = read_text(fields, "assistant_template");
    out.is_active = fields.optional_bool("is_active");
    out.examples = read_examples(fields);
    fields.refuse_unknown();
    return out;
}

}  // namespace

json::object prompt_json(const prompts::Template& prompt) {
    json::array examples;
    for (const prompts::Example& example : prompt.examples) {
        examples.push_back(json::object{{"user", example.user}, {"assistant", example.assistant}});
    }
    return {{"id", prompt.id},
            {"object", "prompt"},
            {"created_at", prompt.created_at},
            {"name", prompt.name},
            {"system_prompt", prompt.system_prompt},
            {"user_template", prompt.user_template},
            {"assistant_template", prompt.assistant_template},
            {"is_active", prompt.is_active},
            {"examples", std::move(examples)}};
}

prompts::Template parse_prompt(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    fields.required_string("name");
    prompts::TemplateChange given = read_change(fields);
    prompts::Template out;
    out.name = *std::move(given.name);
    out.system_prompt = std::move(given.system_prompt).value_or("");
    out.user_template = std::move(given.user_template).value_or("");
    out.assistant_template = std::move(given.assistant_template).value_or("");
    out.is_active = given.is_active.value_or(false);
    out.examples = std::move(given.examples).value_or(std::vector<prompts::Example>{});
    return out;
}

prompts::TemplateChange parse_prompt_change(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    return read_change(fields);
}

}  // namespace jikji::api
