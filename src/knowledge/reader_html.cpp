#include <gumbo.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>

#include "base/error.hpp"
#include "knowledge/document_builder.hpp"
#include "knowledge/reader_formats.hpp"
#include "text/charset.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

// gumbo walks the open elements for many tags and frees the tree recursively: what nests deeper or
// has longer tags than any real page would cost quadratic time, or the stack.
constexpr int kDepthMax = 1000;
constexpr std::size_t kTagPartsMax = 2000;
constexpr std::size_t kDeclarationBytes = 2048;  // where <meta charset> has to stand

[[noreturn]] void reject(const char* english, const char* korean) {
    throw Error(ErrorCode::kRejected, english, "file", korean);
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return out;
}

std::string declared_charset(std::string_view bytes) {
    const std::string head = lower(bytes.substr(0, kDeclarationBytes));
    std::size_t at = head.find("charset=");
    if (at == std::string::npos) return {};
    at = head.find_first_not_of("\"' ", at + 8);
    if (at == std::string::npos) return {};
    return head.substr(at, head.find_first_of("\"' >;/", at) - at);
}

/// Where the tag that begins at `at` ends, and how many parts it has (names, values).
std::size_t tag_end(std::string_view html, std::size_t at, std::size_t& parts) {
    char quote = '\0';
    parts = 0;
    for (; at < html.size(); ++at) {
        const char c = html[at];
        if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            break;
        } else if (std::isspace(static_cast<unsigned char>(c)) || c == '/' || c == '=') {
            ++parts;
        }
    }
    return at;
}

bool nests(std::string_view name) {
    // Void elements, and those whose next sibling closes them.
    static constexpr std::array<std::string_view, 26> kFlat = {
        "area",  "base",  "br",     "col",    "embed", "hr",  "img",   "input", "link",
        "meta",  "p",     "li",     "dt",     "dd",    "tr",  "td",    "th",    "tbody",
        "thead", "tfoot", "option", "source", "track", "wbr", "param", "html"};
    return std::find(kFlat.begin(), kFlat.end(), name) == kFlat.end();
}

void check_shape(std::string_view html) {
    int depth = 0;
    for (std::size_t at = html.find('<'); at != std::string_view::npos; at = html.find('<', at)) {
        const bool closing = at + 1 < html.size() && html[at + 1] == '/';
        const std::size_t name_begin = at + (closing ? 2 : 1);
        std::size_t name_end = name_begin;
        while (name_end < html.size() && std::isalnum(static_cast<unsigned char>(html[name_end]))) {
            ++name_end;
        }
        at = name_end;
        if (name_end == name_begin) continue;
        std::size_t parts = 0;
        at = tag_end(html, at, parts);
        if (nests(
                lower(html.substr(name_begin, std::min<std::size_t>(name_end - name_begin, 16))))) {
            depth = std::max(0, depth + (closing ? -1 : 1));
        }
        if (depth > kDepthMax || parts > kTagPartsMax) {
            reject("the HTML nests deeper, or has longer tags, than any real page",
                   "실제 웹 문서로 보기 어려울 만큼 깊게 겹치거나 긴 태그가 있는 HTML입니다.");
        }
    }
}

class HtmlWalk {
public:
    explicit HtmlWalk(DocumentBuilder& builder) : builder_(builder) {}

    void walk(const GumboNode& node) {
        switch (node.type) {
            case GUMBO_NODE_TEXT:
            case GUMBO_NODE_CDATA: add_words(node.v.text.text); break;
            case GUMBO_NODE_WHITESPACE: add_words(" "); break;
            case GUMBO_NODE_ELEMENT: walk_element(node.v.element); break;
            default: break;
        }
    }

    void flush() {
        builder_.paragraph(pending_);
        pending_.clear();
    }

private:
    static bool skipped(const GumboElement& element) {
        static constexpr std::array<GumboTag, 13> kSkipped = {
            GUMBO_TAG_SCRIPT,   GUMBO_TAG_STYLE, GUMBO_TAG_NAV,      GUMBO_TAG_NOSCRIPT,
            GUMBO_TAG_TEMPLATE, GUMBO_TAG_HEAD,  GUMBO_TAG_IFRAME,   GUMBO_TAG_OBJECT,
            GUMBO_TAG_SVG,      GUMBO_TAG_MATH,  GUMBO_TAG_TEXTAREA, GUMBO_TAG_SELECT,
            GUMBO_TAG_BUTTON};
        if (std::find(kSkipped.begin(), kSkipped.end(), element.tag) != kSkipped.end()) return true;
        // What no reader of the page can see should not answer questions either.
        if (gumbo_get_attribute(&element.attributes, "hidden") != nullptr) return true;
        const auto* style = gumbo_get_attribute(&element.attributes, "style");
        if (style == nullptr) return false;
        std::string css = lower(style->value);
        std::erase(css, ' ');
        return css.find("display:none") != std::string::npos ||
               css.find("visibility:hidden") != std::string::npos;
    }

    static int heading_level(GumboTag tag) {
        return tag >= GUMBO_TAG_H1 && tag <= GUMBO_TAG_H6 ? tag - GUMBO_TAG_H1 + 1 : 0;
    }

    static bool is_inline(GumboTag tag) {
        static constexpr std::array<GumboTag, 27> kInline = {
            GUMBO_TAG_A,     GUMBO_TAG_ABBR, GUMBO_TAG_B,      GUMBO_TAG_BDI,  GUMBO_TAG_BDO,
            GUMBO_TAG_BIG,   GUMBO_TAG_CITE, GUMBO_TAG_CODE,   GUMBO_TAG_DATA, GUMBO_TAG_DEL,
            GUMBO_TAG_EM,    GUMBO_TAG_FONT, GUMBO_TAG_I,      GUMBO_TAG_INS,  GUMBO_TAG_KBD,
            GUMBO_TAG_LABEL, GUMBO_TAG_MARK, GUMBO_TAG_Q,      GUMBO_TAG_S,    GUMBO_TAG_SAMP,
            GUMBO_TAG_SMALL, GUMBO_TAG_SPAN, GUMBO_TAG_STRONG, GUMBO_TAG_SUB,  GUMBO_TAG_SUP,
            GUMBO_TAG_TIME,  GUMBO_TAG_U};
        return std::find(kInline.begin(), kInline.end(), tag) != kInline.end();
    }

    void walk_element(const GumboElement& element) {
        if (skipped(element)) return;
        if (const int level = heading_level(element.tag); level > 0) return heading(element, level);
        switch (element.tag) {
            case GUMBO_TAG_BR: pending_ += '\n'; return;
            case GUMBO_TAG_LI:
                new_line();
                pending_ += "- ";
                return walk_children(element);
            case GUMBO_TAG_TD:
            case GUMBO_TAG_TH:
                if (cell_++ > 0) pending_ += " | ";
                return walk_children(element);
            case GUMBO_TAG_TR: return row(element);
            case GUMBO_TAG_UL:
            case GUMBO_TAG_OL:
            case GUMBO_TAG_TABLE: return group(element);
            case GUMBO_TAG_PRE:
                flush();
                ++pre_;
                walk_children(element);
                --pre_;
                return flush();
            default: break;
        }
        if (is_inline(element.tag)) return walk_children(element);
        close_block();
        walk_children(element);
        close_block();
    }

    void walk_children(const GumboElement& element) {
        for (unsigned i = 0; i < element.children.length; ++i) {
            walk(*static_cast<const GumboNode*>(element.children.data[i]));
        }
    }

    void heading(const GumboElement& element, int level) {
        flush();
        walk_children(element);
        builder_.heading(level, pending_);
        pending_.clear();
    }

    /// A list or a table: one paragraph, with a line per item or row.
    void group(const GumboElement& element) {
        close_block();
        ++group_;
        walk_children(element);
        --group_;
        close_block();
    }

    void row(const GumboElement& element) {
        new_line();
        cell_ = 0;
        walk_children(element);
        new_line();
    }

    void close_block() {
        if (group_ == 0) return flush();
        if (cell_ == 0) new_line();  // blocks inside a cell stay on its row
    }

    void new_line() {
        while (!pending_.empty() && pending_.back() == ' ' && !pending_.ends_with("- ")) {
            pending_.pop_back();
        }
        if (!pending_.empty() && pending_.back() != '\n' && !pending_.ends_with("\n- ") &&
            pending_ != "- ") {
            pending_ += '\n';
        }
        cell_ = 0;
    }

    void add_words(std::string_view words) {
        if (pre_ > 0) {
            pending_ += words;
            return;
        }
        for (const char c : words) {
            const bool blank = std::isspace(static_cast<unsigned char>(c));
            const bool after_blank =
                pending_.empty() || pending_.back() == ' ' || pending_.back() == '\n';
            if (!blank) {
                pending_ += c;
            } else if (!after_blank) {
                pending_ += ' ';
            }
        }
    }

    DocumentBuilder& builder_;
    std::string pending_;
    int pre_ = 0, group_ = 0, cell_ = 0;
};

struct DestroyOutput {
    void operator()(GumboOutput* output) const noexcept {
        gumbo_destroy_output(&kGumboDefaultOptions, output);
    }
};

}  // namespace

Document read_html(const std::string& bytes) {
    auto decoded = text::to_utf8(bytes, declared_charset(bytes));
    if (!decoded) {
        reject("this is binary data, not HTML", "HTML이 아닌 이진 데이터입니다.");
    }
    check_shape(decoded->text);
    const std::unique_ptr<GumboOutput, DestroyOutput> output(gumbo_parse_with_options(
        &kGumboDefaultOptions, decoded->text.data(), decoded->text.size()));
    DocumentBuilder builder;
    if (decoded->guessed) {
        builder.note("the character set was guessed as " + decoded->charset +
                     "; declare it in the page if letters look wrong");
    }
    HtmlWalk walk(builder);
    walk.walk(*output->root);
    walk.flush();
    return builder.finish();
}

}  // namespace jikji::knowledge
