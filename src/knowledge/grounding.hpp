#pragma once
// Two checks that keep answers honest: is anything here about the question, and do the answer's
// words stand in what was found? Threads: any.
#include <string>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::knowledge {

/// Below this share an answer is not the documents'. Reason: docs/decisions/0005.
inline constexpr double kGroundedShare = 0.6;

/// The share of the answer's content terms (no stop terms, none of the question's own) that stand
/// in the passages, 0..1; 0 for an answer without content terms.
double groundedness(const std::string& question, const std::string& answer,
                    const std::vector<Passage>& passages);

/// Whether a passage is about the question, from its similarity and keywords; docs/decisions/0005
/// says how the border was found.
bool is_relevant(const Passage& passage);

}  // namespace jikji::knowledge
