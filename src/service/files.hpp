#pragma once
// Uploaded files: bytes in the data folder under their sha256, rows in the database. A file that
// was returned is committed and synced. Threads: any; blocks on the disk.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
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
    /// Makes the folder; removes uploads that were cut off and bytes that no row names.
    Files(storage::Database& database, std::filesystem::path folder);

    /// Where an upload may be written before add() takes it over (same file system).
    std::filesystem::path new_upload_path() const;
    /// Takes the bytes at `path` over (moves the file). Throws Error(kInvalidArgument) for a bad
    /// purpose or name, Error(kDiskFull); the file at `path` is gone then as well.
    FileObject add(const std::filesystem::path& path, const std::string& filename,
                   const std::string& purpose);
    /// The same for a file that we made, with a purpose that no upload may have.
    FileObject add_output(const std::filesystem::path& path, const std::string& filename,
                          const std::string& purpose);
    FileObject get(const std::string& id) const;  // Error(kNotFound)
    /// The file of that name that has the same bytes as the one at `path`: what `ingest` need not
    /// take in twice.
    std::optional<FileObject> find_same(const std::filesystem::path& path,
                                        const std::string& filename) const;
    Listed<FileObject> list(const Page& page, const std::string& purpose = {}) const;
    void remove(const std::string& id);  // out of every vector store as well
    std::filesystem::path path_of(const std::string& id) const;

    /// Hears, after the commit, of each vector store that a removed file was in. One listener; an
    /// empty one ends it.
    struct Removal {
        std::string collection_id;
        std::string file_id;
        std::vector<std::int64_t> chunks;
    };
    void when_removed(std::function<void(const Removal&)> hear);

private:
    void sweep();
    FileObject keep(const std::filesystem::path& path, const std::string& filename,
                    const std::string& purpose);
    void take_over(const std::filesystem::path& path, const FileObject& file);
    void remove_unless_named(const std::string& sha256);  // requires: mutex_

    storage::Database& database_;
    std::filesystem::path folder_;
    // Bytes and rows change together: an upload must not share what a removal is about to unlink.
    std::mutex mutex_;
    std::mutex listener_mutex_;
    std::function<void(const Removal&)> hear_removed_;
};

}  // namespace jikji::service
