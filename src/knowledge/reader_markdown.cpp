#include <md4c.h>

#include "base/error.hpp"
#include "knowledge/document_builder.hpp"
#include "knowledge/reader_formats.hpp"
#include "text/charset.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

constexpr unsigned kFlags = MD_DIALECT_GITHUB | MD_FLAG_LATEXMATHSPANS;

/// Turns md4c's events into headings and paragraphs. A list, a table or a quotation becomes one
/// paragraph with a line per item or row.
class MarkdownEvents {
public:
    explicit MarkdownEvents(DocumentBuilder& builder) : builder_(builder) {}

    void enter(MD_BLOCKTYPE type, const void* detail) {
        switch (type) {
            case MD_BLOCK_H:
                flush();
                level_ = static_cast<int>(static_cast<const MD_BLOCK_H_DETAIL*>(detail)->level);
                break;
            case MD_BLOCK_UL:
            case MD_BLOCK_OL:
                if (depth_++ > 0) new_line();
                break;
            case MD_BLOCK_LI:
                new_line();
                pending_ += "- ";
                break;
            case MD_BLOCK_TH:
            case MD_BLOCK_TD:
                if (cell_++ > 0) pending_ += " | ";
                break;
            case MD_BLOCK_TR: cell_ = 0; break;
            default: break;
        }
    }

    void leave(MD_BLOCKTYPE type) {
        switch (type) {
            case MD_BLOCK_H:
                builder_.heading(level_, pending_);
                pending_.clear();
                break;
            case MD_BLOCK_UL:
            case MD_BLOCK_OL:
                if (--depth_ == 0) flush();
                break;
            case MD_BLOCK_TR: new_line(); break;
            case MD_BLOCK_P:
            case MD_BLOCK_CODE:
            case MD_BLOCK_HTML:
            case MD_BLOCK_TABLE:
            case MD_BLOCK_HR: depth_ > 0 ? new_line() : flush(); break;
            default: break;
        }
    }

    void text(MD_TEXTTYPE type, std::string_view words) {
        switch (type) {
            case MD_TEXT_SOFTBR: pending_ += ' '; break;
            case MD_TEXT_BR: pending_ += '\n'; break;
            case MD_TEXT_HTML: add_without_tags(words); break;
            case MD_TEXT_ENTITY: pending_ += entity(words); break;
            case MD_TEXT_NULLCHAR: break;
            default: pending_ += words; break;
        }
    }

    void flush() {
        builder_.paragraph(pending_);
        pending_.clear();
    }

private:
    void new_line() {
        if (!pending_.empty() && pending_.back() != '\n' && !pending_.ends_with("- ")) {
            pending_ += '\n';
        }
    }

    void add_without_tags(std::string_view html) {
        for (const char c : html) {
            if (c == '<') tag_ = true;
            if (!tag_) pending_ += c;
            if (c == '>') tag_ = false;
        }
    }

    static std::string entity(std::string_view name) {
        if (name == "&amp;") return "&";
        if (name == "&lt;") return "<";
        if (name == "&gt;") return ">";
        if (name == "&quot;") return "\"";
        if (name == "&nbsp;") return " ";
        return std::string(name);
    }

    DocumentBuilder& builder_;
    std::string pending_;
    int level_ = 1, depth_ = 0, cell_ = 0;
    bool tag_ = false;  // inside <…>, which may go over lines
};

/// What a callback threw; C must not see it.
struct Parse {
    MarkdownEvents events;
    std::exception_ptr failure;

    template <typename Work>
    int guard(Work work) noexcept {
        try {
            work();
            return 0;
        } catch (...) {
            failure = std::current_exception();
            return 1;  // md4c stops
        }
    }
};

int on_enter(MD_BLOCKTYPE type, void* detail, void* user) noexcept {
    auto& parse = *static_cast<Parse*>(user);
    return parse.guard([&] { parse.events.enter(type, detail); });
}

int on_leave(MD_BLOCKTYPE type, void*, void* user) noexcept {
    auto& parse = *static_cast<Parse*>(user);
    return parse.guard([&] { parse.events.leave(type); });
}

int on_span(MD_SPANTYPE, void*, void*) noexcept { return 0; }

int on_text(MD_TEXTTYPE type, const MD_CHAR* words, MD_SIZE size, void* user) noexcept {
    auto& parse = *static_cast<Parse*>(user);
    return parse.guard([&] { parse.events.text(type, {words, size}); });
}

/// YAML between two lines of dashes at the top speaks to programs, not to readers.
std::string_view without_front_matter(std::string_view text) {
    if (!text.starts_with("---\n")) return text;
    const std::size_t end = text.find("\n---\n", 3);
    return end == std::string_view::npos ? text : text.substr(end + 5);
}

}  // namespace

Document read_markdown(const std::string& bytes) {
    const auto decoded = text::to_utf8(bytes);
    if (!decoded) {
        throw Error(ErrorCode::kRejected, "this is binary data, not Markdown", "file",
                    "마크다운이 아닌 이진 데이터입니다.");
    }
    const std::string clean = clean_text(decoded->text);
    const std::string_view source = without_front_matter(clean);
    DocumentBuilder builder;
    Parse parse{MarkdownEvents(builder), nullptr};
    const MD_PARSER parser{0,       kFlags,  on_enter, on_leave, on_span,
                           on_span, on_text, nullptr,  nullptr};
    const int failed =
        md_parse(source.data(), static_cast<MD_SIZE>(source.size()), &parser, &parse);
    if (parse.failure) std::rethrow_exception(parse.failure);
    if (failed != 0) {
        throw Error(ErrorCode::kRejected, "the Markdown could not be parsed", "file",
                    "마크다운을 해석할 수 없습니다.");
    }
    parse.events.flush();
    return builder.finish();
}

}  // namespace jikji::knowledge
