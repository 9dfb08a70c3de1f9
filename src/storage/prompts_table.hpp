#pragma once
// Rows of prompt templates. Requires: inside Database::read or Database::write; the methods that
// change rows need write. Threads: those of the connection.
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jikji::storage {

class Connection;

struct PromptRow {
    std::string id;
    std::string name;
    std::string system_prompt;
    std::string user_template;
    std::string assistant_template;
    bool is_active = false;
    std::int64_t created_at = 0;                                // seconds since 1970
    std::vector<std::pair<std::string, std::string>> examples;  // user, assistant
};

class PromptsTable {
public:
    explicit PromptsTable(Connection& connection) : connection_(connection) {}

    std::vector<PromptRow> list() const;                                 // by name
    std::optional<PromptRow> find(const std::string& id_or_name) const;  // an id goes first
    std::optional<PromptRow> active() const;

    void insert(const PromptRow& row);  // Error(kConflict) if the id or name is taken
    void update(const PromptRow& row);  // all columns but created_at, by id
    void remove(const std::string& id);
    /// No row but this one stays active.
    void only_active(const std::string& id);

private:
    void write_examples(const PromptRow& row);
    std::vector<std::pair<std::string, std::string>> examples_of(const std::string& id) const;

    Connection& connection_;
};

}  // namespace jikji::storage
