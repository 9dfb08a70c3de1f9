#pragma once
// Small named values that outlive a restart. Requires: inside Database::read or Database::write;
// put and erase need write. Threads: those of the connection.
#include <map>
#include <optional>
#include <string>

namespace jikji::storage {

class Connection;

class SettingsTable {
public:
    explicit SettingsTable(Connection& connection) : connection_(connection) {}

    std::optional<std::string> get(const std::string& key) const;
    /// Every key that begins with `prefix`.
    std::map<std::string, std::string> with_prefix(const std::string& prefix) const;
    void put(const std::string& key, const std::string& value);
    void erase_prefix(const std::string& prefix);

private:
    Connection& connection_;
};

}  // namespace jikji::storage
