#pragma once
// The terms of a question, weighed: what keyword search, citations and the relevance gate share.
// Private to knowledge. Threads: any.
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace jikji::knowledge {

struct QuestionTerm {
    std::string term;
    double weight = 1;    // before rarity: less for what is probably the end of a word
    bool prefix = false;  // one syllable: looked for at the beginning of pairs
};

struct QuestionTerms {
    std::vector<QuestionTerm> terms;                // in order, each once, no stop terms
    std::vector<std::vector<std::string>> phrases;  // terms of one word or of two neighbours
};

QuestionTerms question_terms(std::string_view question);

/// The terms that a text has; single leading syllables of its pairs as well, for prefix terms.
class TermSet {
public:
    explicit TermSet(std::string_view text);
    bool has(const QuestionTerm& term) const;

private:
    std::unordered_set<std::string> terms_;
    std::unordered_set<std::string> heads_;
};

/// The share of the question's weight that a text has, 0..1. `rarity` weighs each term.
double keyword_share(const QuestionTerms& question, const TermSet& text,
                     const std::function<double(const std::string&)>& rarity);

/// Inverse document frequency as BM25 has it, never below zero.
double rarity(double documents, double documents_with_term);

}  // namespace jikji::knowledge
