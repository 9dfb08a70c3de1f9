#include "storage/prompts_table.hpp"

#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

constexpr const char* kColumns =
    "SELECT id, name, system_prompt, user_template, assistant_template, is_active, created_at "
    "FROM prompts ";

PromptRow row_of(const Statement& at) {
    PromptRow row;
    row.id = at.text_at(0);
    row.name = at.text_at(1);
    row.system_prompt = at.text_at(2);
    row.user_template = at.text_at(3);
    row.assistant_template = at.text_at(4);
    row.is_active = at.int64_at(5) != 0;
    row.created_at = at.int64_at(6);
    return row;
}

}  // namespace

std::vector<PromptRow> PromptsTable::list() const {
    std::vector<PromptRow> out;
    Statement select(connection_, std::string(kColumns) + "ORDER BY name");
    while (select.step()) out.push_back(row_of(select));
    for (PromptRow& row : out) row.examples = examples_of(row.id);
    return out;
}

std::optional<PromptRow> PromptsTable::find(const std::string& id_or_name) const {
    Statement select(connection_,
                     std::string(kColumns) + "WHERE id = ?1 OR name = ?1 ORDER BY id <> ?1");
    select.bind(1, id_or_name);
    if (!select.step()) return std::nullopt;
    PromptRow row = row_of(select);
    row.examples = examples_of(row.id);
    return row;
}

std::optional<PromptRow> PromptsTable::active() const {
    Statement select(connection_, std::string(kColumns) + "WHERE is_active = 1 ORDER BY name");
    if (!select.step()) return std::nullopt;
    PromptRow row = row_of(select);
    row.examples = examples_of(row.id);
    return row;
}

void PromptsTable::insert(const PromptRow& row) {
    Statement(connection_,
              "INSERT INTO prompts (id, name, system_prompt, user_template, assistant_template, "
              "is_active, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
        .bind(1, row.id)
        .bind(2, row.name)
        .bind(3, row.system_prompt)
        .bind(4, row.user_template)
        .bind(5, row.assistant_template)
        .bind(6, row.is_active)
        .bind(7, row.created_at)
        .run();
    write_examples(row);
}

void PromptsTable::update(const PromptRow& row) {
    Statement(connection_,
              "UPDATE prompts SET name = ?2, system_prompt = ?3, user_template = ?4, "
              "assistant_template = ?5, is_active = ?6 WHERE id = ?1")
        .bind(1, row.id)
        .bind(2, row.name)
        .bind(3, row.system_prompt)
        .bind(4, row.user_template)
        .bind(5, row.assistant_template)
        .bind(6, row.is_active)
        .run();
    write_examples(row);
}

void PromptsTable::remove(const std::string& id) {
    Statement(connection_, "DELETE FROM prompts WHERE id = ?1").bind(1, id).run();
}

void PromptsTable::only_active(const std::string& id) {
    Statement(connection_, "UPDATE prompts SET is_active = 0 WHERE is_active = 1 AND id <> ?1")
        .bind(1, id)
        .run();
}

// The column is a JSON list of {user, assistant}, written and read by SQLite itself.
void PromptsTable::write_examples(const PromptRow& row) {
    Statement(connection_, "UPDATE prompts SET examples = '[]' WHERE id = ?1")
        .bind(1, row.id)
        .run();
    Statement append(connection_,
                     "UPDATE prompts SET examples = json_insert(examples, '$[#]', "
                     "json_object('user', ?2, 'assistant', ?3)) WHERE id = ?1");
    for (const auto& [user, assistant] : row.examples) {
        append.bind(1, row.id).bind(2, user).bind(3, assistant).run();
    }
}

std::vector<std::pair<std::string, std::string>> PromptsTable::examples_of(
    const std::string& id) const {
    std::vector<std::pair<std::string, std::string>> out;
    Statement select(connection_,
                     "SELECT json_extract(one.value, '$.user'), "
                     "json_extract(one.value, '$.assistant') "
                     "FROM prompts, json_each(prompts.examples) AS one "
                     "WHERE prompts.id = ?1 AND prompts.examples <> '' ORDER BY one.key");
    select.bind(1, id);
    while (select.step()) out.emplace_back(select.text_at(0), select.text_at(1));
    return out;
}

}  // namespace jikji::storage
