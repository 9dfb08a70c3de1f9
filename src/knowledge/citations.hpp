#pragma once
// From passages to what a reader can check: the span of the document that answers. Threads: any.
#include <string>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::knowledge {

struct Citation {
    int index = 0;  // 1 = 참고 문서 1
    std::string file_id;
    std::string filename;
    Place place;        // of the quote: begin and end are the quote's own
    std::string quote;  // one or two sentences, letter for letter as in the document's text
    double score = 0;
};

/// One citation per passage, in order: the one or two sentences that share most with the question
/// (terms weighed by how rare they are among all sentences; ties to the earlier).
std::vector<Citation> cite(const std::string& question, const std::vector<Passage>& passages);

}  // namespace jikji::knowledge
