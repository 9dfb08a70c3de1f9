#include "knowledge/question_terms.hpp"

#include <algorithm>
#include <cmath>

#include "text/endings.hpp"
#include "text/normalise.hpp"
#include "text/terms.hpp"

namespace jikji::knowledge {
namespace {

constexpr std::size_t kTermsMax = 128;  // a question longer than this is a document
constexpr std::size_t kPhrasesMax = 64;

// Pairs that reach into a particle or a verb's ending (휴가+는: 가는) are mostly not the word's
// own.
constexpr double kEndingWeight = 0.2;

struct Found {
    std::string term;
    std::size_t begin, end;
};

bool is_syllable_pair(const std::string& term) {
    return static_cast<unsigned char>(term.front()) >= 0xE0 && text::count_characters(term) == 2;
}

bool is_one_syllable(const std::string& term) {
    return static_cast<unsigned char>(term.front()) >= 0xE0 && text::count_characters(term) == 1;
}

/// Terms that overlap stand in one run of syllables: [first, last).
using Run = std::pair<std::size_t, std::size_t>;

std::vector<Run> runs_of(const std::vector<Found>& found) {
    std::vector<Run> runs;
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (i > 0 && found[i].begin < found[i - 1].end) {
            runs.back().second = i + 1;
        } else {
            runs.push_back({i, i + 1});
        }
    }
    return runs;
}

void add_phrase(QuestionTerms& out, std::vector<std::string> phrase) {
    if (phrase.size() > 1 && out.phrases.size() < kPhrasesMax) {
        out.phrases.push_back(std::move(phrase));
    }
}

void add_term(QuestionTerms& out, const std::string& term, double weight) {
    if (text::is_stop_term(term) || out.terms.size() >= kTermsMax) return;
    for (QuestionTerm& known : out.terms) {
        if (known.term != term) continue;
        known.weight = std::max(known.weight, weight);
        return;
    }
    out.terms.push_back({term, weight, is_one_syllable(term)});
}

/// Where the stem of a run of syllables ends, in bytes of the question.
std::size_t stem_end(std::string_view question, const std::vector<Found>& found, Run run) {
    const std::size_t begin = found[run.first].begin, end = found[run.second - 1].end;
    const std::size_t ending = text::ending_bytes(question.substr(begin, end - begin));
    // A word of two syllables that seems to end in a particle (휴가) is mostly whole.
    return run.second - run.first == 1 ? end : end - ending;
}

void add_run(QuestionTerms& out, std::string_view question, const std::vector<Found>& found,
             Run run) {
    const std::size_t stem = stem_end(question, found, run);
    std::vector<std::string> phrase;
    for (std::size_t i = run.first; i < run.second; ++i) {
        const bool own = found[i].end <= stem;
        add_term(out, found[i].term, own ? 1 : kEndingWeight);
        if (own) phrase.push_back(found[i].term);
    }
    add_phrase(out, std::move(phrase));
}

/// Two Latin words that follow each other.
void add_pairs(QuestionTerms& out, const std::vector<Found>& found) {
    for (std::size_t i = 1; i < found.size(); ++i) {
        const bool latin = static_cast<unsigned char>(found[i - 1].term.front()) < 0x80 &&
                           static_cast<unsigned char>(found[i].term.front()) < 0x80;
        const bool stop =
            text::is_stop_term(found[i - 1].term) || text::is_stop_term(found[i].term);
        if (latin && !stop) add_phrase(out, {found[i - 1].term, found[i].term});
    }
}

}  // namespace

QuestionTerms question_terms(std::string_view question) {
    std::vector<Found> found;
    text::for_each_term(question, [&](std::string_view term, std::size_t begin, std::size_t end) {
        found.push_back({std::string(term), begin, end});
        return found.size() < 4 * kTermsMax;
    });
    QuestionTerms out;
    for (const Run& run : runs_of(found)) add_run(out, question, found, run);
    add_pairs(out, found);
    return out;
}

TermSet::TermSet(std::string_view text) {
    text::for_each_term(text, [&](std::string_view term, std::size_t, std::size_t) {
        const auto inserted = terms_.emplace(term);
        if (inserted.second && is_syllable_pair(*inserted.first)) {
            heads_.insert(inserted.first->substr(0, text::code_point_at(term, 0).bytes));
        }
        return true;
    });
}

bool TermSet::has(const QuestionTerm& term) const {
    return terms_.contains(term.term) || (term.prefix && heads_.contains(term.term));
}

double keyword_share(const QuestionTerms& question, const TermSet& text,
                     const std::function<double(const std::string&)>& rarity) {
    double all = 0, had = 0;
    for (const QuestionTerm& term : question.terms) {
        const double weight = term.weight * rarity(term.term);
        all += weight;
        if (text.has(term)) had += weight;
    }
    return all > 0 ? had / all : 0;
}

double rarity(double documents, double documents_with_term) {
    return std::log(1 + (documents - documents_with_term + 0.5) / (documents_with_term + 0.5));
}

}  // namespace jikji::knowledge
