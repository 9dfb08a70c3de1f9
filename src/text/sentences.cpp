#include "text/sentences.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include "text/normalise.hpp"

namespace jikji::text {
namespace {

constexpr std::array<std::string_view, 14> kAbbreviations = {
    "e.g", "i.e", "mr", "mrs", "ms", "dr", "prof", "vs", "cf", "jr", "sr", "st", "inc", "approx"};
// These stop a sentence unless a number follows: "no. 5", but "He said no."
constexpr std::array<std::string_view, 7> kBeforeNumbers = {"no",  "fig", "sec", "vol",
                                                            "art", "pp",  "ch"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool ends_sentence(char32_t c) {
    return c == '.' || c == '?' || c == '!' || c == 0x2026 || c == 0x3002 || c == 0xFF1F ||
           c == 0xFF01;
}

bool closes(char32_t c) {
    return c == '"' || c == '\'' || c == ')' || c == ']' || c == 0x201D || c == 0x2019 ||
           c == 0x300D || c == 0x300F || c == 0x300B || c == 0x3009;
}

bool blank_at(std::string_view text, std::size_t at) {
    if (at >= text.size()) return true;
    const char32_t c = code_point_at(text, at).value;
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x3000;
}

/// The letters, digits and dots right before the full stop at `dot`, in lower case.
std::string word_before(std::string_view text, std::size_t begin, std::size_t dot) {
    std::size_t from = dot;
    while (from > begin &&
           (is_letter(text[from - 1]) || is_digit(text[from - 1]) || text[from - 1] == '.')) {
        --from;
    }
    std::string word(text.substr(from, dot - from));
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return word;
}

bool digit_follows(std::string_view text, std::size_t at) {
    while (at < text.size() && text[at] == ' ') ++at;
    return at < text.size() && is_digit(text[at]);
}

/// Whether the full stop at `dot` belongs to what stands before it: U.S., e.g., 1., no. 5.
bool is_inner_stop(std::string_view text, std::size_t begin, std::size_t dot) {
    const std::string word = word_before(text, begin, dot);
    if (word.empty()) return false;
    if (std::find(kAbbreviations.begin(), kAbbreviations.end(), word) != kAbbreviations.end()) {
        return true;
    }
    if (std::find(kBeforeNumbers.begin(), kBeforeNumbers.end(), word) != kBeforeNumbers.end()) {
        return digit_follows(text, dot + 1);
    }
    const bool starts = strip(text.substr(begin, dot - begin)).size() == word.size();
    if (std::all_of(word.begin(), word.end(), is_digit)) return starts;  // "1." of a list
    const bool initial = word.size() == 1 || word[word.size() - 2] == '.';
    return initial && is_letter(word.back());
}

void add_stripped(std::vector<Span>& spans, std::string_view text, Span span) {
    const std::string_view inner = strip(text.substr(span.begin, span.end - span.begin));
    if (inner.empty()) return;
    const auto begin = static_cast<std::size_t>(inner.data() - text.data());
    spans.push_back({begin, begin + inner.size()});
}

}  // namespace

std::vector<Span> sentences_of(std::string_view text) {
    std::vector<Span> spans;
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        std::size_t end = at + point.bytes;
        bool over = point.value == '\n';
        if (ends_sentence(point.value)) {
            while (end < text.size() && (closes(code_point_at(text, end).value) ||
                                         ends_sentence(code_point_at(text, end).value))) {
                end += code_point_at(text, end).bytes;
            }
            over = blank_at(text, end) &&
                   !(point.value == '.' && end == at + 1 && is_inner_stop(text, begin, at));
        }
        if (over) {
            add_stripped(spans, text, {begin, end});
            begin = end;
        }
        at = end;
    }
    add_stripped(spans, text, {begin, text.size()});
    return spans;
}

}  // namespace jikji::text
