#pragma once
// Figures that are kept over a restart. Requires: inside Database::read or Database::write; put
// needs write. Threads: those of the connection.
#include <map>
#include <string>

namespace jikji::storage {

class Connection;

class CountersTable {
public:
    explicit CountersTable(Connection& connection) : connection_(connection) {}

    std::map<std::string, double> all() const;
    void put(const std::string& name, double value);

private:
    Connection& connection_;
};

}  // namespace jikji::storage
