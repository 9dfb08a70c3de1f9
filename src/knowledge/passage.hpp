#pragma once
// What search finds, and where in which document it stands.
#include <cstdint>
#include <string>
#include <vector>

namespace jikji::knowledge {

using ChunkId = std::int64_t;  // row id in storage; never reused

/// Where a chunk stands in its document.
struct Place {
    int page = 0;            // from 1; 0 where the format has no pages
    std::string heading;     // "Title > Section", or empty
    std::int64_t begin = 0;  // byte offsets into the document's extracted text
    std::int64_t end = 0;
};

struct Passage {
    ChunkId chunk = 0;
    std::string file_id;
    std::string filename;
    std::string text;
    Place place;
    double score = 0;       // 0..1, fused; for ranking and thresholds
    double similarity = 0;  // cosine of question and chunk, -1..1
    double keywords = 0;  // 0..1: the share of the question's terms (by weight) that the chunk has
};

}  // namespace jikji::knowledge
