#include "knowledge/fusion.hpp"

#include <algorithm>
#include <unordered_map>

namespace jikji::knowledge {

std::vector<Fused> fuse(std::span<const Ranking> rankings) {
    std::unordered_map<ChunkId, double> scores;
    double best = 0;
    for (const Ranking& ranking : rankings) {
        best += ranking.weight / (kRankConstant + 1);
        double rank = 1;
        for (const ChunkId id : ranking.ids)
            scores[id] += ranking.weight / (kRankConstant + rank++);
    }
    std::vector<Fused> fused;
    fused.reserve(scores.size());
    for (const auto& [id, score] : scores) fused.push_back({id, score / best});
    std::sort(fused.begin(), fused.end(), [](const Fused& a, const Fused& b) {
        return a.score != b.score ? a.score > b.score : a.id < b.id;
    });
    return fused;
}

}  // namespace jikji::knowledge
