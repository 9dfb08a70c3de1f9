#pragma once
// Vector stores: files taken in (read, split, embedded, indexed) in the background by one worker,
// and searched. Threads: any but the IO thread.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "knowledge/passage.hpp"
#include "service/encoder.hpp"
#include "service/files.hpp"

namespace jikji::service {

using Attribute = std::variant<std::string, double, bool>;

struct FileCounts {
    int in_progress = 0, completed = 0, failed = 0, cancelled = 0, total = 0;
};

struct Collection {
    std::string id;  // vs_…
    std::string name;
    std::int64_t created_at = 0;
    std::int64_t usage_bytes = 0;
    std::int64_t last_active_at = 0;
    std::map<std::string, std::string> metadata;
    FileCounts files;
};

struct CollectionFile {
    std::string file_id;
    std::string collection_id;
    std::string filename;
    std::int64_t created_at = 0;
    std::int64_t usage_bytes = 0;
    std::string status;      // in_progress, completed, failed, cancelled
    std::string error_code;  // empty, or: unsupported_file, invalid_file, server_error
    std::string error_message;
    std::string error_korean;  // the same for Korean readers
    std::map<std::string, Attribute> attributes;
    int chunk_tokens = 800, chunk_overlap = 400;  // as asked; capped by the embedding model
    int chunks = 0;
    double progress = 0;  // 0..1, while in_progress
};

struct Chunking {
    int tokens_max = 0;  // 0 = what the embedding model likes
    int overlap = 0;
};

struct SearchRequest {
    std::string collection_id;
    std::vector<std::string> queries;  // more than one: fused
    int results_max = 10;
    double score_min = 0;  // 0..1
    Caller caller;
};

class Collections {
public:
    /// Starts the worker, which goes on with what an earlier run has left.
    Collections(storage::Database& database, Files& files, Encoder encoder);
    ~Collections();  // stops the worker after the few chunks that it is at

    /// Error(kInvalidArgument, "metadata") for more than 16 pairs, keys over 64 or values over 512
    /// bytes.
    Collection create(const std::string& name, const std::map<std::string, std::string>& metadata);
    Collection get(const std::string& id) const;
    /// By name, made if it is not there: the CLI's `documents` (S7).
    Collection get_or_create(const std::string& name);
    Listed<Collection> list(const Page& page) const;
    void remove(const std::string& id);

    /// Queues the file; its status tells how it went. The row is committed on return, and a file
    /// that was queued is taken up again after a restart. A file that is in it already is done
    /// again if it has failed or if `chunking` is another; else it only gets the attributes.
    CollectionFile attach(const std::string& collection_id, const std::string& file_id,
                          const std::map<std::string, Attribute>& attributes,
                          const Chunking& chunking);
    CollectionFile file(const std::string& collection_id, const std::string& file_id) const;
    Listed<CollectionFile> files(const std::string& collection_id, const Page& page,
                                 const std::string& status = {}) const;
    void detach(const std::string& collection_id, const std::string& file_id);

    /// Vectors and keywords, fused; best first. Error(kConflict) if the collection's vectors are
    /// another model's.
    std::vector<knowledge::Passage> search(const SearchRequest& request);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jikji::service
