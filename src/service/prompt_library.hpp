#pragma once
// Prompt templates in the database (S5), the four roles of S6 present at first start.
// Threads: any; blocks on the database.
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/request.hpp"
#include "prompts/template.hpp"

namespace jikji::storage {
class Database;
}

namespace jikji::service {

/// A chat request's `prompt: {id, variables}`.
struct PromptReference {
    std::string id;  // an id, or a name
    std::map<std::string, std::string> variables;
};

class PromptLibrary {
public:
    /// Puts the roles of S6 in place at the first start; an edited or deleted role stays so.
    explicit PromptLibrary(storage::Database& database);

    std::vector<prompts::Template> list() const;                 // by name
    prompts::Template get(const std::string& id_or_name) const;  // Error(kNotFound), did you mean
    prompts::Template create(prompts::Template fresh);           // fills id and created_at
    prompts::Template update(const std::string& id_or_name, const prompts::TemplateChange& change);
    void remove(const std::string& id_or_name);
    /// The template with is_active, if one is; at most one is active at a time.
    std::optional<prompts::Template> active() const;

    /// The messages that a template makes of a user's words: system message, examples as turns,
    /// user_template filled in. A variable without a value is Error(kInvalidArgument) on
    /// `prompt.variables`.
    std::vector<engine::Message> messages(const PromptReference& reference,
                                          const std::vector<engine::Message>& given) const;

private:
    storage::Database& database_;
};

}  // namespace jikji::service
