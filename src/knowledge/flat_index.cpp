#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.hpp"
#include "knowledge/vector_index.hpp"

namespace jikji::knowledge {
namespace {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// One binary for every machine: the loader picks the widest that the processor has. (The resolver
// runs before a sanitizer is ready.)
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"),
               optimize("O3", "fast-math")))
#endif
float dot(const float* a, const float* b, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

bool nearer(const Hit& a, const Hit& b) {
    return a.score != b.score ? a.score > b.score : a.id < b.id;
}

class FlatIndex final : public VectorIndex {
public:
    explicit FlatIndex(int dim) : dim_(static_cast<std::size_t>(dim)) {
        if (dim < 1) {
            throw Error(ErrorCode::kInvalidArgument,
                        "dim is " + std::to_string(dim) + "; give a number from 1", "dim");
        }
    }

    void add(std::span<const ChunkId> ids, std::span<const float> rows) override {
        check_new(ids, rows);
        rows_.reserve(rows_.size() + rows.size());
        ids_.reserve(ids_.size() + ids.size());
        for (const ChunkId id : ids) {
            row_of_.emplace(id, ids_.size());
            ids_.push_back(id);
        }
        rows_.insert(rows_.end(), rows.begin(), rows.end());
    }

    void remove(std::span<const ChunkId> ids) override {
        for (const ChunkId id : ids) {
            const auto found = row_of_.find(id);
            if (found == row_of_.end()) continue;
            const std::size_t row = found->second, last = ids_.size() - 1;
            row_of_.erase(found);
            if (row != last) {
                std::copy_n(row_at(last), dim_, rows_.data() + row * dim_);
                ids_[row] = ids_[last];
                row_of_[ids_[row]] = row;
            }
            ids_.pop_back();
            rows_.resize(last * dim_);
        }
    }

    std::vector<Hit> search(std::span<const float> query, int k) const override {
        check_query(query);
        if (k < 1) {
            throw Error(ErrorCode::kInvalidArgument,
                        "k is " + std::to_string(k) + "; give a number from 1", "k");
        }
        std::vector<Hit> hits(ids_.size());
        for (std::size_t i = 0; i < ids_.size(); ++i) {
            hits[i] = {ids_[i], dot(query.data(), row_at(i), dim_)};
        }
        const auto wanted =
            static_cast<std::ptrdiff_t>(std::min(hits.size(), static_cast<std::size_t>(k)));
        std::partial_sort(hits.begin(), hits.begin() + wanted, hits.end(), nearer);
        hits.resize(static_cast<std::size_t>(wanted));
        return hits;
    }

    float similarity(std::span<const float> query, ChunkId id) const override {
        check_query(query);
        const auto found = row_of_.find(id);
        return found == row_of_.end() ? -1 : dot(query.data(), row_at(found->second), dim_);
    }

    bool contains(ChunkId id) const noexcept override { return row_of_.contains(id); }
    std::size_t size() const noexcept override { return ids_.size(); }
    int dim() const noexcept override { return static_cast<int>(dim_); }

private:
    const float* row_at(std::size_t i) const { return rows_.data() + i * dim_; }

    void check_new(std::span<const ChunkId> ids, std::span<const float> rows) const {
        if (rows.size() != ids.size() * dim_) {
            throw Error(ErrorCode::kInvalidArgument,
                        std::to_string(ids.size()) + " vectors of " + std::to_string(dim_) +
                            " numbers need " + std::to_string(ids.size() * dim_) + " floats, not " +
                            std::to_string(rows.size()),
                        "rows");
        }
        if (!std::all_of(rows.begin(), rows.end(), [](float x) { return std::isfinite(x); })) {
            throw Error(ErrorCode::kInvalidArgument, "a vector holds NaN or infinity", "rows");
        }
        std::unordered_map<ChunkId, int> seen;
        for (const ChunkId id : ids) {
            if (row_of_.contains(id) || !seen.emplace(id, 0).second) {
                throw Error(ErrorCode::kConflict,
                            "chunk " + std::to_string(id) + " is already present", "ids");
            }
        }
    }

    void check_query(std::span<const float> query) const {
        if (query.size() == dim_) return;
        throw Error(ErrorCode::kInvalidArgument,
                    "the query has " + std::to_string(query.size()) + " numbers; the index has " +
                        std::to_string(dim_),
                    "query");
    }

    std::size_t dim_;
    std::vector<float> rows_;
    std::vector<ChunkId> ids_;
    std::unordered_map<ChunkId, std::size_t> row_of_;
};

}  // namespace

std::unique_ptr<VectorIndex> make_flat_index(int dim) { return std::make_unique<FlatIndex>(dim); }

}  // namespace jikji::knowledge
