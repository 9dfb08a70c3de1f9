#pragma once
// Uploaded files: bytes in the data folder under their sha256, rows in the database. A file that
// was returned is committed and synced. Threads: any; blocks on the disk.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace jikji::storage {
class Database;
}

namespace jikji::service {

struct FileObject {
    std::string id;  // file-…
    std::string filename;
    std::string purpose;
    std::int64_t bytes = 0;
    std::int64_t created_at = 0;
    std::string sha256;
};

/// `after`/`limit`/`order` of OpenAI's lists.
struct Page {
    std::string after;
    int limit = 20;
    bool ascending = false;
};

template <typename Item>
struct Listed {
    std::vector<Item> items;
    bool has_more = false;
};

class Files {
public:
    Files(storage::Database& database, std::filesystem::path folder);

    /// Where an upload may be written before add() takes it over (same file system).
    std::filesystem::path new_upload_path() const;
    /// Takes the bytes at `path` over (moves the file). Throws Error(kInvalidArgument) for a bad
    /// purpose or name, Error(kDiskFull).
    FileObject add(const std::filesystem::path& path, const std::string& filename,
                   const std::string& purpose);
    FileObject get(const std::string& id) const;  // Error(kNotFound)
    Listed<FileObject> list(const Page& page, const std::string& purpose = {}) const;
    void remove(const std::string& id);  // out of every vector store as well
    std::filesystem::path path_of(const std::string& id) const;

private:
    storage::Database& database_;
    std::filesystem::path folder_;
};

}  // namespace jikji::service
