#include "knowledge/document_builder.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

constexpr std::size_t kHeadingBytesMax = 200;  // a longer one is a paragraph in disguise
constexpr int kHeadingColumnsMax = 50;         // of a heading in text without markup
constexpr std::string_view kPathSeparator = " > ";

// A wrapped line is at least this wide, and at least this share of its paragraph's widest line.
constexpr int kWrapColumnsMin = 30;
constexpr double kWrapShareMin = 0.7;

bool invisible(char32_t c) {
    return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0xAD ||
           (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
           (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xE0000 && c <= 0xE007F);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        lines.push_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return lines;
}

bool begins_item(std::string_view line) {
    if (line.empty() || line.front() == ' ' || line.front() == '\t') return true;
    const std::size_t digits = line.find_first_not_of("0123456789");
    if (digits != std::string_view::npos && digits > 0 && digits < 3 &&
        (line[digits] == '.' || line[digits] == ')')) {
        return true;
    }
    for (const char* mark : {"- ", "* ", "• ", "· ", "○", "●", "■", "□", "※", "▶", "|", "#"}) {
        if (line.starts_with(mark)) return true;
    }
    return false;
}

bool ends_sentence(std::string_view line) {
    return line.empty() || std::string_view(".?!:;").find(line.back()) != std::string_view::npos;
}

/// The level that the number of a heading says: 1 for "2. x" and "제3장 x", 2 for "2.1 x"; 0: none.
int numbered_level(std::string_view line) {
    if (line.starts_with("제")) {
        const std::size_t digits = line.find_first_not_of("0123456789", 3);
        if (digits == std::string_view::npos || digits == 3) return 0;
        if (line.substr(digits).starts_with("장")) return 1;
        return line.substr(digits).starts_with("조") ? 2 : 0;
    }
    const std::size_t number = line.find_first_not_of("0123456789.");
    if (number == std::string_view::npos || number == 0 || number > 8) return 0;
    if (line[number] != ' ' || line.front() == '.') return 0;
    const std::string_view digits = line.substr(0, number);
    const auto dots = std::count(digits.begin(), digits.end(), '.');
    if (dots == 0) return 0;  // "17 days" begins a sentence
    return static_cast<int>(dots) + (digits.back() == '.' ? 0 : 1);
}

/// Whether the first of these lines is a heading over the others.
int heading_level(std::string_view paragraph) {
    const auto lines = lines_of(paragraph);
    if (lines.size() < 2 || numbered_level(lines[1]) > 0) return 0;
    const std::string_view line = text::strip(lines[0]);
    if (ends_sentence(line) || text::display_width(line) > kHeadingColumnsMax) return 0;
    return std::min(numbered_level(line), 6);
}

std::string without_trailing_blanks(std::string_view text) {
    std::string out;
    for (const std::string_view line : lines_of(text)) {
        const std::size_t last = line.find_last_not_of(" \t");
        if (!out.empty()) out += '\n';
        if (last != std::string_view::npos) out += line.substr(0, last + 1);
    }
    return out;
}

}  // namespace

std::string clean_text(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const text::CodePoint point = text::code_point_at(text, at);
        at += point.bytes;
        if (point.value == '\r') {
            if (at >= text.size() || text[at] != '\n') out += '\n';
        } else if (point.value == '\f' || point.value == 0x2028 || point.value == 0x2029) {
            out += '\n';
        } else if (point.value == 0xA0) {
            out += ' ';
        } else if (!invisible(point.value)) {
            text::append_utf8(out, point.value);
        }
    }
    return text::nfc(out);
}

std::string join_wrapped_lines(std::string_view paragraph) {
    const auto lines = lines_of(paragraph);
    int widest = 0;
    for (const auto line : lines) widest = std::max(widest, text::display_width(line));
    const double wrapped_min = std::max<double>(kWrapColumnsMin, kWrapShareMin * widest);
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        out += lines[i];
        if (i + 1 == lines.size()) break;
        const bool goes_on = text::display_width(lines[i]) >= wrapped_min &&
                             !ends_sentence(text::strip(lines[i])) && !begins_item(lines[i + 1]);
        out += goes_on ? ' ' : '\n';
    }
    return out;
}

void add_plain_text(DocumentBuilder& builder, std::string_view text) {
    for (std::string_view paragraph : paragraphs_of(text)) {
        paragraph.remove_prefix(std::min(paragraph.find_first_not_of('\n'), paragraph.size()));
        if (const int level = heading_level(paragraph); level > 0) {
            const std::size_t end = paragraph.find('\n');
            builder.heading(level, paragraph.substr(0, end));
            paragraph.remove_prefix(end + 1);
        }
        builder.paragraph(join_wrapped_lines(paragraph));
    }
}

std::vector<std::string_view> paragraphs_of(std::string_view text) {
    std::vector<std::string_view> paragraphs;
    std::size_t begin = 0, at = 0;
    const auto close = [&](std::size_t end) {
        const auto inner = text.substr(begin, end - begin);
        if (!text::strip(inner).empty()) paragraphs.push_back(inner);
    };
    while (at < text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (text::strip(text.substr(at, end - at)).empty()) {
            close(at);
            begin = end;
        }
        at = end + 1;
    }
    close(text.size());
    return paragraphs;
}

void DocumentBuilder::page(int number) {
    page_ = number;
    begin_section();
}

void DocumentBuilder::heading(int level, std::string_view text) {
    std::string line = clean_text(text);
    std::replace(line.begin(), line.end(), '\n', ' ');
    line = std::string(text::strip(line));
    if (line.empty()) return;
    if (line.size() > kHeadingBytesMax) return paragraph(line);
    std::erase_if(path_, [&](const Level& l) { return l.level >= level; });
    path_.push_back({level, line});
    begin_section();
    append(line);
    document_.sections.back().body = static_cast<std::int64_t>(document_.text.size());
}

void DocumentBuilder::paragraph(std::string_view text) {
    const std::string clean = without_trailing_blanks(clean_text(text));
    const std::string_view inner = text::strip(clean);
    if (!inner.empty()) append(inner);
}

void DocumentBuilder::append(std::string_view clean) {
    if (document_.sections.empty()) begin_section();
    if (!document_.text.empty()) document_.text += "\n\n";
    Section& last = document_.sections.back();
    if (last.begin == last.body &&
        last.begin + 2 == static_cast<std::int64_t>(document_.text.size())) {
        last.begin = last.body = static_cast<std::int64_t>(document_.text.size());
    }
    document_.text += clean;
    if (document_.text.size() > limits::kDocumentTextBytes) {
        const std::string limit = std::to_string(limits::kDocumentTextBytes >> 20);
        throw Error(ErrorCode::kTooLarge,
                    "the document has more than " + limit + " MB of text; split it", "file",
                    "문서의 글이 " + limit + "MB를 넘습니다. 나누어서 올려 주세요.");
    }
}

void DocumentBuilder::begin_section() {
    Section section;
    section.begin = section.body = static_cast<std::int64_t>(document_.text.size());
    section.page = page_;
    for (const Level& level : path_) {
        if (!section.heading.empty()) section.heading += kPathSeparator;
        section.heading += level.text;
    }
    auto& sections = document_.sections;
    const bool replaces = !sections.empty() && sections.back().begin == section.begin;
    if (replaces) sections.pop_back();
    sections.push_back(std::move(section));
}

Document DocumentBuilder::finish() {
    if (!document_.sections.empty()) document_.sections.front().begin = 0;
    return std::move(document_);
}

}  // namespace jikji::knowledge
