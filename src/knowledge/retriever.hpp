#pragma once
// Hybrid search over one collection: exact vectors joined with keywords by reciprocal rank fusion
// (Cormack, Clarke, Büttcher 2009).
//
// Threads  any. The vectors of a collection are read from the database at its first search and
//          stay in memory; who changes the database says so with added(), removed() or forget(),
//          after the commit.
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::storage {
class Database;
}

namespace jikji::knowledge {

/// A question as words and as the embedding model's vector of it (query side).
struct Question {
    std::string text;
    std::vector<float> vector;
};

class Retriever {
public:
    explicit Retriever(const storage::Database& database);
    ~Retriever();

    /// The k best passages of a collection, best first, near-duplicates left out. More than one
    /// question: fused. Empty if the collection has nothing.
    std::vector<Passage> search(const std::string& collection_id,
                                std::span<const Question> questions, int k);

    /// Chunks were committed. `rows`: ids.size() x dim floats.
    void added(const std::string& collection_id, std::span<const ChunkId> ids,
               std::span<const float> rows);
    void removed(const std::string& collection_id, std::span<const ChunkId> ids);
    /// Frees what is held of a collection; the next search reads it again.
    void forget(const std::string& collection_id);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jikji::knowledge
