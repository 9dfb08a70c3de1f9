#include <algorithm>

#include "knowledge/grounding.hpp"
#include "text/language.hpp"

namespace jikji::knowledge {
namespace {

// all-MiniLM-L6-v2 spreads its cosines from 0 to 1, as most models do that were not trained with
// E5's low temperature. It has no second language to lie lower in.
constexpr RelevanceBorder kSpread = {
    .keyword_weight = 0.3, .same_language = 0.45, .other_language = 0.45};

}  // namespace

RelevanceBorder relevance_border(std::string_view embedding_model) {
    const bool e5 = embedding_model.find("e5") != std::string_view::npos;
    return e5 || embedding_model.empty() ? RelevanceBorder{} : kSpread;
}

bool is_relevant(const std::string& question, const Passage& passage,
                 const RelevanceBorder& border) {
    const bool same_language = text::language_of(question) == text::language_of(passage.text);
    const double value = passage.similarity + border.keyword_weight * passage.keywords;
    const double least = same_language ? border.same_language
                                       : std::min(border.other_language, border.same_language);
    return value >= least;
}

}  // namespace jikji::knowledge
