#include "knowledge/grounding.hpp"

#include <algorithm>
#include <unordered_set>

#include "text/endings.hpp"
#include "text/normalise.hpp"
#include "text/sentences.hpp"
#include "text/terms.hpp"

namespace jikji::knowledge {
namespace {

struct Word {
    std::vector<std::string> terms;
    bool number = false;
};

bool is_number(std::string_view term) {
    return std::all_of(term.begin(), term.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_syllables(std::string_view word) {
    return !word.empty() && static_cast<unsigned char>(word.front()) >= 0xE0;
}

Word make_word(std::string_view text) {
    Word word;
    if (is_syllables(text)) text.remove_suffix(text::ending_bytes(text));
    word.terms = text::terms_of(text);
    word.number = !word.terms.empty() && is_number(word.terms.front());
    return word;
}

/// The words of a text: runs of syllables, Latin words, numbers.
std::vector<Word> words_of(std::string_view text) {
    std::vector<Word> words;
    std::size_t begin = 0, end = 0;
    const auto close = [&] {
        if (end > begin) words.push_back(make_word(text.substr(begin, end - begin)));
    };
    text::for_each_term(text, [&](std::string_view, std::size_t b, std::size_t e) {
        if (b >= end) {
            close();
            begin = b;
        }
        end = e;
        return true;
    });
    close();
    return words;
}

/// "1." and "2)" at the beginning of a line count the answer's own points.
std::string without_list_numbers(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text::strip(text.substr(0, end));
        const std::size_t digits = line.find_first_not_of("0123456789");
        if (digits != std::string_view::npos && digits > 0 && digits < 3 &&
            (line[digits] == '.' || line[digits] == ')') && digits + 1 < line.size() &&
            line[digits + 1] == ' ') {
            line.remove_prefix(digits + 1);
        }
        out += line;
        out += '\n';
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

class Vocabulary {
public:
    void add(std::string_view text) {
        text::for_each_term(text, [&](std::string_view term, std::size_t, std::size_t) {
            terms_.emplace(term);
            if (is_syllables(term)) {
                heads_.emplace(term.substr(0, text::code_point_at(term, 0).bytes));
            }
            return true;
        });
    }

    /// The share of the word's terms that are here.
    double share(const Word& word) const {
        double found = 0;
        for (const std::string& term : word.terms) {
            const bool syllable = is_syllables(term) && text::count_characters(term) == 1;
            found += terms_.contains(term) || (syllable && heads_.contains(term));
        }
        return found / static_cast<double>(word.terms.size());
    }

private:
    std::unordered_set<std::string> terms_;
    std::unordered_set<std::string> heads_;  // first syllables, for words of one
};

bool tells_nothing(const Word& word) {
    return std::all_of(word.terms.begin(), word.terms.end(),
                       [](const std::string& term) { return text::is_stop_term(term); });
}

/// What a sentence of an answer may lean on: each sentence of the passages with the next one. Words
/// picked from all over the documents make no sentence of theirs.
std::vector<Vocabulary> windows_of(const std::vector<Passage>& passages) {
    std::vector<Vocabulary> windows;
    for (const Passage& passage : passages) {
        const std::string_view text = passage.text;
        const auto spans = text::sentences_of(text);
        for (std::size_t i = 0; i < spans.size(); ++i) {
            const std::size_t end = spans[std::min(i + 1, spans.size() - 1)].end;
            Vocabulary window;
            window.add(passage.place.heading);
            window.add(text.substr(spans[i].begin, end - spans[i].begin));
            windows.push_back(std::move(window));
        }
    }
    return windows;
}

struct Support {
    double words = 0, found = 0, numbers = 0, numbers_found = 0;

    double share() const {
        // A wrong number spoils an answer more than a word that the documents do not use.
        const double trust = numbers > 0 ? numbers_found / numbers : 1;
        return words > 0 ? found / words * trust : 0;
    }
};

Support support_of(const std::vector<Word>& words, const Vocabulary& window) {
    Support support;
    for (const Word& word : words) {
        const double share = window.share(word);
        // One syllable alone stands nearly everywhere.
        const bool weak = !word.number && word.terms.front().size() <= 3;
        const double weight = weak ? 0.5 : static_cast<double>(word.terms.size());
        support.words += weight;
        support.found += weight * share;
        support.numbers += word.number;
        if (word.number) support.numbers_found += share;
    }
    return support;
}

}  // namespace

double groundedness(const std::string& question, const std::string& answer,
                    const std::vector<Passage>& passages) {
    Vocabulary asked;
    asked.add(question);
    const auto windows = windows_of(passages);
    const std::string said = without_list_numbers(answer);
    double weights = 0, grounded = 0;
    for (const text::Span& span : text::sentences_of(said)) {
        auto words = words_of(std::string_view(said).substr(span.begin, span.end - span.begin));
        std::erase_if(
            words, [&](const Word& word) { return tells_nothing(word) || asked.share(word) == 1; });
        if (words.empty()) continue;
        double best = 0;
        for (const Vocabulary& window : windows) {
            best = std::max(best, support_of(words, window).share());
        }
        weights += static_cast<double>(words.size());
        grounded += best * static_cast<double>(words.size());
    }
    return weights > 0 ? grounded / weights : 0;
}

}  // namespace jikji::knowledge
