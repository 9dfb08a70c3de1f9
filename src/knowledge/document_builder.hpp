#pragma once
// What the readers share: paragraphs and headings in, a Document out. Threads: one.
#include <string>
#include <string_view>
#include <vector>

#include "knowledge/document.hpp"

namespace jikji::knowledge {

class DocumentBuilder {
public:
    /// What follows stands on this page, from 1.
    void page(int number);

    /// A heading of level 1 (highest) to 6; headings of its level and below end here.
    void heading(int level, std::string_view text);

    /// A paragraph; its line breaks stay. Cleaned: NFC, no control or invisible characters, no
    /// blanks at the ends of lines. Throws Error(kTooLarge) beyond limits::kDocumentTextBytes.
    void paragraph(std::string_view text);

    void note(std::string text) { document_.note = std::move(text); }
    bool empty() const { return document_.text.empty(); }

    Document finish();

private:
    struct Level {
        int level;
        std::string text;
    };
    void append(std::string_view clean);
    void begin_section();

    Document document_;
    std::vector<Level> path_;
    int page_ = 0;
};

/// The text without what a reader cannot see; "\n" for every kind of line end.
std::string clean_text(std::string_view text);

/// Lines that an editor or a PDF has wrapped, joined again: a line that is nearly as wide as the
/// widest of its paragraph and does not end a sentence goes on in the next one.
std::string join_wrapped_lines(std::string_view paragraph);

/// The paragraphs of a text without markup, wrapped lines joined. A short first line that is
/// numbered ("2. 출장", "제3장 휴가") and does not end a sentence becomes a heading, unless the
/// line after it is numbered too (then it is a list).
void add_plain_text(DocumentBuilder& builder, std::string_view text);

/// Cuts at blank lines.
std::vector<std::string_view> paragraphs_of(std::string_view text);

}  // namespace jikji::knowledge
