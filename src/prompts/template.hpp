#pragma once
// Prompt templates (mission.md S5, S6): data to text, pure.
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace jikji::prompts {

struct Example {
    std::string user;
    std::string assistant;
};

struct Template {
    std::string id;    // prompt_…; given by the store
    std::string name;  // 1..100 characters, unique
    std::string system_prompt;
    std::string user_template;  // may hold {system}, {user} and other {variables}
    std::string assistant_template;
    bool is_active = false;
    std::int64_t created_at = 0;    // seconds since 1970
    std::vector<Example> examples;  // few-shot
};

/// The fields that a PATCH names.
struct TemplateChange {
    std::optional<std::string> name;
    std::optional<std::string> system_prompt;
    std::optional<std::string> user_template;
    std::optional<std::string> assistant_template;
    std::optional<bool> is_active;
    std::optional<std::vector<Example>> examples;
};

/// Throws Error(kInvalidArgument) with the field: name empty or longer than 100 characters.
void validate(const Template& t);

/// S5, byte for byte: system, blank line, then "User: …\nAssistant: …" and a blank line per
/// example, then "User: {message}\nAssistant:".
std::string format_prompt(const Template& t, const std::string& message);

/// Replaces {name} by its value in one pass (a value is never looked into again). Braces that hold
/// no identifier (letters of any language, digits, _) stay. A name without a value:
/// Error(kInvalidArgument, field "prompt.variables").
std::string fill(const std::string& text, const std::map<std::string, std::string>& variables);

/// The names that fill() would ask for.
std::set<std::string> variables_of(const std::string& text);

/// S6: default, coding, teacher, creative.
std::vector<Template> ready_made_roles();

}  // namespace jikji::prompts
