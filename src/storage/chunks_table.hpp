#pragma once
// Chunks of documents: text, place and vector, and the full-text index over text and heading
// (kept in step by triggers). Make one inside Database::read or Database::write.
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "storage/connection.hpp"

namespace jikji::storage {

struct ChunkRow {
    std::int64_t id = 0;  // never reused; 0 until inserted
    std::string file_id;
    std::string filename;
    std::int64_t ordinal = 0;  // from 0, in the order of the document
    std::string text;
    int page = 0;
    std::string heading;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    int tokens = 0;
};

struct KeywordHit {
    std::int64_t id = 0;
    double rank = 0;  // bm25: negative, smaller is better
};

/// What a chunk has to have any of. Every entry is index terms as text::for_each_term cuts them:
/// they are quoted here and compared as they are, never cut again.
struct KeywordQuery {
    std::vector<std::string> terms;
    std::vector<std::string> prefixes;              // terms that begin with it: 책 finds 책은
    std::vector<std::vector<std::string>> phrases;  // terms that follow each other
};

class ChunksTable {
public:
    explicit ChunksTable(Connection& connection) : connection_(connection) {}

    /// Returns the new row's id. Requires: the file is attached to the collection.
    /// row.file_id says whose it is; row.id and row.filename are ignored.
    std::int64_t insert(const std::string& collection_id, const ChunkRow& row,
                        std::span<const float> vector);

    /// Ids of the chunks that a file has in a collection, in order.
    std::vector<std::int64_t> ids_of(const std::string& collection_id,
                                     const std::string& file_id) const;
    void remove(const std::string& collection_id, const std::string& file_id);

    std::int64_t count(const std::string& collection_id) const;

    /// Every vector of a collection, by id. The span holds during the call only.
    void each_vector(
        const std::string& collection_id,
        const std::function<void(std::int64_t id, std::span<const float>)>& take) const;

    /// In the order of `ids`; ids that are gone are left out.
    std::vector<ChunkRow> get(std::span<const std::int64_t> ids) const;

    /// The best `limit` chunks of a collection by bm25, ties by lower id. At most 512 entries of
    /// the query count, the first ones; an empty query finds nothing.
    std::vector<KeywordHit> keyword_search(const std::string& collection_id,
                                           const KeywordQuery& query, int limit) const;

    /// How many chunks of the collection have the term.
    std::int64_t document_frequency(const std::string& collection_id,
                                    const std::string& term) const;

private:
    Connection& connection_;
};

}  // namespace jikji::storage
