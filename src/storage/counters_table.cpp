#include "storage/counters_table.hpp"

#include "storage/statement.hpp"

namespace jikji::storage {

std::map<std::string, double> CountersTable::all() const {
    std::map<std::string, double> out;
    Statement select(connection_, "SELECT name, value FROM counters");
    while (select.step()) out.emplace(select.text_at(0), select.double_at(1));
    return out;
}

void CountersTable::put(const std::string& name, double value) {
    Statement(connection_,
              "INSERT INTO counters (name, value) VALUES (?1, ?2) "
              "ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(1, name)
        .bind(2, value)
        .run();
}

}  // namespace jikji::storage
