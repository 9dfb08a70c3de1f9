#pragma once
// The text of a document, and where its pages and headings begin.
#include <cstdint>
#include <string>
#include <vector>

namespace jikji::knowledge {

/// From `begin` on, until the next section's, the text stands on this page under this heading.
struct Section {
    std::int64_t begin = 0;  // byte offset into Document::text
    std::int64_t body = 0;   // where the heading's own line is over; begin if it has none
    int page = 0;            // from 1; 0 where the format has no pages
    std::string heading;     // "Title > Section", or empty
};

struct Document {
    std::string text;               // valid UTF-8; blank lines part paragraphs
    std::vector<Section> sections;  // by begin; the first begins at 0
    std::string note;               // what the user should know of the reading; English, or empty
};

}  // namespace jikji::knowledge
