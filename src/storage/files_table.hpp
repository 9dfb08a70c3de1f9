#pragma once
// Rows of uploaded files. Make one inside Database::read or Database::write.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/connection.hpp"
#include "storage/page.hpp"

namespace jikji::storage {

struct FileRow {
    std::string id;
    std::string filename;
    std::string purpose;
    std::int64_t bytes = 0;
    std::int64_t created_at = 0;  // seconds since 1970
    std::string sha256;
};

class FilesTable {
public:
    explicit FilesTable(Connection& connection) : connection_(connection) {}

    void insert(const FileRow& row);  // Error(kConflict) if the id is taken
    std::optional<FileRow> get(const std::string& id) const;
    /// The newest of that name with these bytes.
    std::optional<FileRow> find(const std::string& sha256, const std::string& filename) const;
    /// Those of one purpose, or all. Error(kInvalidArgument, "after") if page.after is unknown.
    PageOf<FileRow> list(const PageRequest& page, const std::string& purpose) const;
    /// With its chunks in every collection. False if it is not there.
    bool remove(const std::string& id);
    std::int64_t count_with(const std::string& sha256) const;

private:
    Connection& connection_;
};

}  // namespace jikji::storage
