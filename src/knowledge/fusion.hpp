#pragma once
// Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009). Threads: any.
#include <span>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::knowledge {

inline constexpr double kRankConstant = 60;  // the paper's k: how little the first ranks stand out

struct Ranking {
    std::vector<ChunkId> ids;  // best first
    double weight = 1;
};

struct Fused {
    ChunkId id;
    double score;  // 1 if it is the first of every ranking
};

/// Best first, ties by lower id.
std::vector<Fused> fuse(std::span<const Ranking> rankings);

}  // namespace jikji::knowledge
