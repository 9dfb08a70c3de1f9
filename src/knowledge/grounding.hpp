#pragma once
// Two checks that keep answers honest: is anything here about the question, and do the answer's
// words stand in what was found? Threads: any.
#include <string>
#include <string_view>
#include <vector>

#include "knowledge/passage.hpp"

namespace jikji::knowledge {

/// Below this share an answer is not the documents': it keeps 98 % of right short answers and
/// passes 1 % of wrong ones (docs/decisions/0005-relevance-gate.md).
inline constexpr double kGroundedShare = 0.6;

/// The share of the answer's content terms (no stop terms, none of the question's own) that stand
/// in the passages, 0..1, each sentence by the two sentences of a passage that support it best; 0
/// for an answer without content terms.
double groundedness(const std::string& question, const std::string& answer,
                    const std::vector<Passage>& passages);

/// Where "about the question" begins, on the similarities of one embedding model: similarity +
/// keyword_weight * keywords >= same_language. Passages in another language than the question can
/// share no words, and lie lower: similarity >= other_language.
struct RelevanceBorder {
    double keyword_weight = 0.12;  // multilingual-e5-small, whose cosines all lie in 0.7..1
    double same_language = 0.885;
    double other_language = 0.805;
};

/// By the model's name; docs/decisions/0005 says how each was measured.
RelevanceBorder relevance_border(std::string_view embedding_model);

bool is_relevant(const std::string& question, const Passage& passage,
                 const RelevanceBorder& border);

}  // namespace jikji::knowledge
