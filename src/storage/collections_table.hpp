#pragma once
// Vector stores and what is known of them. Make one inside Database::read or Database::write.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "storage/connection.hpp"
#include "storage/page.hpp"

namespace jikji::storage {

struct CollectionRow {
    std::string id;
    std::string name;
    std::int64_t created_at = 0;      // seconds since 1970
    std::int64_t last_active_at = 0;  // the same
    std::string embedding_model;      // whose vectors its chunks have
    std::map<std::string, std::string> metadata;

    // Read only: sums over its files.
    std::int64_t usage_bytes = 0;
    int in_progress = 0, completed = 0, failed = 0, cancelled = 0;
};

class CollectionsTable {
public:
    explicit CollectionsTable(Connection& connection) : connection_(connection) {}

    void insert(const CollectionRow& row);  // Error(kConflict) if the id is taken
    std::optional<CollectionRow> get(const std::string& id) const;
    std::optional<CollectionRow> find_by_name(const std::string& name) const;  // the oldest
    /// Error(kInvalidArgument, "after") if page.after is unknown.
    PageOf<CollectionRow> list(const PageRequest& page) const;
    bool remove(const std::string& id);  // with its chunks; false if it is not there
    void touch(const std::string& id, std::int64_t now);
    /// Requires: it has no chunks, whose vectors would be another model's.
    void set_embedding_model(const std::string& id, const std::string& model);

private:
    void read_metadata(CollectionRow& row) const;

    Connection& connection_;
};

}  // namespace jikji::storage
