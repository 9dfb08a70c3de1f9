#pragma once
// Files in vector stores: the work to be done on each, and how it went. Make one inside
// Database::read or Database::write.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "storage/connection.hpp"
#include "storage/page.hpp"

namespace jikji::storage {

using AttributeValue = std::variant<std::string, double, bool>;

struct CollectionFileRow {
    std::string collection_id;
    std::string file_id;
    std::string filename;  // read only
    std::int64_t created_at = 0;
    std::string status = "in_progress";  // in_progress, completed, failed, cancelled
    int attempts = 0;                    // tries that began
    std::string error_code;
    std::string error_message;
    std::string error_korean;
    int chunk_tokens = 0;  // 0 = as the embedding model likes
    int chunk_overlap = 0;
    std::int64_t usage_bytes = 0;
    int chunks = 0;
    std::map<std::string, AttributeValue> attributes;
};

/// Which file of which collection.
struct CollectionFileKey {
    std::string collection_id;
    std::string file_id;
    auto operator<=>(const CollectionFileKey&) const = default;
};

struct FileFailure {
    std::string code;
    std::string message;
    std::string korean;
};

class CollectionFilesTable {
public:
    explicit CollectionFilesTable(Connection& connection) : connection_(connection) {}

    /// Requires: collection and file exist. Error(kConflict) if the file is in it already.
    void insert(const CollectionFileRow& row);
    std::optional<CollectionFileRow> get(const CollectionFileKey& key) const;
    /// Those of one status, or all. Error(kInvalidArgument, "after") if page.after is unknown.
    PageOf<CollectionFileRow> list(const std::string& collection_id, const PageRequest& page,
                                   const std::string& status) const;
    bool remove(const CollectionFileKey& key);  // with its chunks; false if it is not there
    void set_attributes(const CollectionFileKey& key,
                        const std::map<std::string, AttributeValue>& attributes);

    /// The collections that a file is in.
    std::vector<std::string> collections_of(const std::string& file_id) const;

    /// The oldest one that is in progress.
    std::optional<CollectionFileRow> next_to_do() const;
    void set_attempts(const CollectionFileKey& key, int attempts);
    void complete(const CollectionFileKey& key, int chunks, std::int64_t usage_bytes);
    void fail(const CollectionFileKey& key, const FileFailure& failure);
    /// From the start, with other sizes: its chunks go, its attempts are forgotten.
    void queue_again(const CollectionFileKey& key, int chunk_tokens, int chunk_overlap);

private:
    std::int64_t seq_of(const CollectionFileKey& key) const;  // 0 if it is not there
    void read_attributes(CollectionFileRow& row) const;

    Connection& connection_;
};

}  // namespace jikji::storage
