#include "knowledge/citations.hpp"

#include <optional>

#include "knowledge/question_terms.hpp"
#include "text/normalise.hpp"
#include "text/sentences.hpp"

namespace jikji::knowledge {
namespace {

// A second sentence has to bring this much of the question's weight, or it only makes a reader's
// check longer.
constexpr double kSecondSentenceGain = 0.15;

struct Sentence {
    text::Span span;  // bytes of the passage's text
    TermSet terms;
};

std::string_view last_heading(const Passage& passage) {
    const std::string_view path = passage.place.heading;
    const std::size_t at = path.rfind(" > ");
    return at == std::string_view::npos ? path : path.substr(at + 3);
}

std::string_view words(const Passage& passage, text::Span span) {
    return std::string_view(passage.text).substr(span.begin, span.end - span.begin);
}

/// The sentences of a passage without the line of its heading, unless that is all there is.
std::vector<Sentence> sentences(const Passage& passage) {
    std::vector<Sentence> out;
    const auto spans = text::sentences_of(passage.text);
    for (const text::Span& span : spans) {
        const bool heading = words(passage, span) == last_heading(passage);
        if (heading && spans.size() > 1) continue;
        out.push_back({span, TermSet(words(passage, span))});
    }
    return out;
}

class Chooser {
public:
    Chooser(const std::string& question, const std::vector<std::vector<Sentence>>& passages)
        : terms_(question_terms(question)), passages_(passages) {
        for (const auto& passage : passages) count_ += static_cast<double>(passage.size());
    }

    std::optional<text::Span> choose(const Passage& passage,
                                     const std::vector<Sentence>& sentences) const {
        if (sentences.empty()) return std::nullopt;
        std::size_t best = 0;
        double best_share = share(sentences[0].terms);
        for (std::size_t i = 1; i < sentences.size(); ++i) {
            const double next = share(sentences[i].terms);
            if (next > best_share) {
                best = i;
                best_share = next;
            }
        }
        return widen(passage, sentences, best, best_share);
    }

private:
    /// With the neighbour that adds most to it, if one adds enough.
    text::Span widen(const Passage& passage, const std::vector<Sentence>& sentences,
                     std::size_t best, double best_share) const {
        text::Span chosen = sentences[best].span;
        double wanted = best_share + kSecondSentenceGain;
        const auto consider = [&](std::size_t first) {
            const text::Span pair{sentences[first].span.begin, sentences[first + 1].span.end};
            if (words(passage, pair).find("\n\n") != std::string_view::npos) return;
            const double both = share(TermSet(words(passage, pair)));
            if (both < wanted) return;
            chosen = pair;
            wanted = both + kSecondSentenceGain;
        };
        if (best > 0) consider(best - 1);
        if (best + 1 < sentences.size()) consider(best);
        return chosen;
    }

    double share(const TermSet& text) const {
        return keyword_share(terms_, text, [&](const std::string& term) {
            double having = 0;
            for (const auto& passage : passages_) {
                for (const Sentence& s : passage) having += s.terms.has({term});
            }
            return rarity(count_, having);
        });
    }

    QuestionTerms terms_;
    const std::vector<std::vector<Sentence>>& passages_;
    double count_ = 0;
};

}  // namespace

std::vector<Citation> cite(const std::string& question, const std::vector<Passage>& passages) {
    std::vector<std::vector<Sentence>> all;
    for (const Passage& passage : passages) all.push_back(sentences(passage));
    const Chooser chooser(question, all);
    std::vector<Citation> citations;
    for (std::size_t i = 0; i < passages.size(); ++i) {
        const Passage& passage = passages[i];
        const text::Span span =
            chooser.choose(passage, all[i]).value_or(text::Span{0, passage.text.size()});
        Citation citation;
        citation.index = static_cast<int>(i) + 1;
        citation.file_id = passage.file_id;
        citation.filename = passage.filename;
        citation.place = passage.place;
        citation.place.begin = passage.place.begin + static_cast<std::int64_t>(span.begin);
        citation.place.end = passage.place.begin + static_cast<std::int64_t>(span.end);
        citation.quote = std::string(words(passage, span));
        citation.score = passage.score;
        citations.push_back(std::move(citation));
    }
    return citations;
}

}  // namespace jikji::knowledge
