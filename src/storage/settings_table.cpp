#include "storage/settings_table.hpp"

#include "storage/statement.hpp"

namespace jikji::storage {

std::optional<std::string> SettingsTable::get(const std::string& key) const {
    Statement select(connection_, "SELECT value FROM settings WHERE key = ?1");
    select.bind(1, key);
    if (!select.step()) return std::nullopt;
    return select.text_at(0);
}

std::map<std::string, std::string> SettingsTable::with_prefix(const std::string& prefix) const {
    std::map<std::string, std::string> out;
    Statement select(connection_,
                     "SELECT key, value FROM settings WHERE substr(key, 1, length(?1)) = ?1");
    select.bind(1, prefix);
    while (select.step()) out.emplace(select.text_at(0), select.text_at(1));
    return out;
}

void SettingsTable::put(const std::string& key, const std::string& value) {
    Statement(connection_,
              "INSERT INTO settings (key, value) VALUES (?1, ?2) "
              "ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(1, key)
        .bind(2, value)
        .run();
}

void SettingsTable::erase_prefix(const std::string& prefix) {
    Statement(connection_, "DELETE FROM settings WHERE substr(key, 1, length(?1)) = ?1")
        .bind(1, prefix)
        .run();
}

}  // namespace jikji::storage
