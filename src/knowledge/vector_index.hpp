#pragma once
// Nearest neighbours over embedding vectors.
//
// Shapes   row-major float32, n x dim; every row has length 1 (the embedder normalises).
// Score    cosine similarity in [-1, 1]; higher is nearer.
// Threads  search() may run beside search(); add() and remove() need the index to themselves.
#include <memory>
#include <span>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::knowledge {

struct Hit {
    ChunkId id;
    float score;
};

class VectorIndex {
public:
    virtual ~VectorIndex() = default;

    /// Adds ids.size() vectors; `rows` holds ids.size() x dim() floats. All or nothing.
    /// Throws Error(kInvalidArgument) if the sizes disagree or a value is not finite, and
    /// Error(kConflict) if an id is already present.
    virtual void add(std::span<const ChunkId> ids, std::span<const float> rows) = 0;

    /// Ids that are not present are passed over.
    virtual void remove(std::span<const ChunkId> ids) = 0;

    /// The k nearest to one query of dim() floats, best first, ties by lower id; fewer than k
    /// only if size() < k. Throws Error(kInvalidArgument) if k < 1 or the query has another size.
    virtual std::vector<Hit> search(std::span<const float> query, int k) const = 0;

    /// Cosine of the query and one vector; -1 if the id is not present.
    virtual float similarity(std::span<const float> query, ChunkId id) const = 0;

    virtual bool contains(ChunkId id) const noexcept = 0;
    virtual std::size_t size() const noexcept = 0;  // vectors
    virtual int dim() const noexcept = 0;           // floats per vector
};

/// Looks at every vector: exact.
std::unique_ptr<VectorIndex> make_flat_index(int dim);

}  // namespace jikji::knowledge
