#include "knowledge/grounding.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "text/normalise.hpp"
#include "text/terms.hpp"

namespace jikji::knowledge {
namespace {

// Endings and particles that an answer may add to a document's words; the longest first.
constexpr std::array<std::string_view, 44> kEndings = {
    "이었습니다", "하였습니다", "했습니다", "됐습니다", "되었습니다", "입니다", "합니다", "됩니다",
    "습니다",     "니다",       "이에요",   "예요",     "에서는",     "으로는", "까지는", "에게는",
    "이라고",     "에서",       "에게",     "으로",     "부터",       "까지",   "이다",   "하다",
    "한다",       "된다",       "해요",     "이며",     "하고",       "이고",   "하는",   "에는",
    "은",         "는",         "이",       "가",       "을",         "를",     "의",     "에",
    "로",         "와",         "과",       "도"};

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

std::string_view without_ending(std::string_view word) {
    for (const std::string_view ending : kEndings) {
        if (word.size() > ending.size() && word.ends_with(ending)) {
            return word.substr(0, word.size() - ending.size());
        }
    }
    return word;
}

Word make_word(std::string_view text) {
    Word word;
    word.terms = text::terms_of(is_syllables(text) ? without_ending(text) : text);
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

}  // namespace

double groundedness(const std::string& question, const std::string& answer,
                    const std::vector<Passage>& passages) {
    Vocabulary asked, given;
    asked.add(question);
    for (const Passage& passage : passages) given.add(passage.place.heading + "\n" + passage.text);
    double words = 0, found = 0, numbers = 0, numbers_found = 0;
    for (const Word& word : words_of(without_list_numbers(answer))) {
        if (tells_nothing(word) || asked.share(word) == 1) continue;
        const double share = given.share(word);
        ++words;
        found += share;
        numbers += word.number;
        if (word.number) numbers_found += share;
    }
    if (words == 0) return 0;
    // A wrong number spoils an answer more than a word that the documents do not use.
    const double trust = numbers > 0 ? numbers_found / numbers : 1;
    return found / words * trust;
}

}  // namespace jikji::knowledge
