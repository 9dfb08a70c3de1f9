#include "knowledge/splitter.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "text/normalise.hpp"
#include "text/sentences.hpp"

namespace jikji::knowledge {
namespace {

// Counting is a call into the model's tokenizer: pieces that certainly fit or certainly do not are
// told by their bytes. No vocabulary of ours has tokens of more than about 16 bytes on average.
constexpr std::size_t kBytesPerTokenMax = 16;

struct Piece {
    std::size_t begin, end;  // bytes of Document::text
    int tokens;
};

class Splitter {
public:
    Splitter(const Document& document, const SplitOptions& options,
             const std::function<int(std::string_view)>& count_tokens)
        : text_(document.text), document_(document), options_(options), count_(count_tokens) {}

    std::vector<Chunk> run() {
        const auto& sections = document_.sections;
        for (std::size_t i = 0; i < sections.size(); ++i) {
            const std::size_t end = i + 1 < sections.size()
                                        ? static_cast<std::size_t>(sections[i + 1].begin)
                                        : text_.size();
            split_section(sections[i], end);
        }
        return std::move(chunks_);
    }

private:
    void split_section(const Section& section, std::size_t end) {
        const auto begin = static_cast<std::size_t>(section.begin);
        const auto body = static_cast<std::size_t>(section.body);
        // A heading alone would be found by every question about it and answer none.
        if (text::strip(text_.substr(body, end - body)).empty()) return;
        pieces_.clear();
        add_paragraphs(begin, end);
        pack(section);
    }

    void add_paragraphs(std::size_t begin, std::size_t end) {
        while (begin < end) {
            const std::size_t gap = std::min(text_.find("\n\n", begin), end);
            add(begin, gap, &Splitter::add_sentences);
            begin = std::min(gap + 2, end);
        }
    }

    void add_sentences(std::size_t begin, std::size_t end) {
        for (const text::Span& span : text::sentences_of(text_.substr(begin, end - begin))) {
            add(begin + span.begin, begin + span.end, &Splitter::add_words);
        }
    }

    /// Halves at the white space, or else the character, next to the middle.
    void add_words(std::size_t begin, std::size_t end) {
        const std::size_t middle = begin + (end - begin) / 2;
        std::size_t cut = text_.rfind(' ', middle);
        if (cut == std::string_view::npos || cut <= begin) cut = text_.find(' ', middle);
        if (cut == std::string_view::npos || cut >= end) {
            cut = begin + text::cut_before(text_.substr(begin, end - begin), middle - begin);
        }
        if (cut <= begin) {  // one character: it cannot become smaller
            pieces_.push_back({begin, end, options_.tokens_max});
            return;
        }
        add(begin, cut, &Splitter::add_words);
        add(cut, end, &Splitter::add_words);
    }

    /// Takes the piece whole if it fits, else by the finer cut.
    void add(std::size_t begin, std::size_t end,
             void (Splitter::*finer)(std::size_t, std::size_t)) {
        const std::string_view inner = text::strip(text_.substr(begin, end - begin));
        if (inner.empty()) return;
        begin = static_cast<std::size_t>(inner.data() - text_.data());
        end = begin + inner.size();
        const auto room = static_cast<std::size_t>(options_.tokens_max);
        if (inner.size() <= room * kBytesPerTokenMax) {
            const int tokens = count_(inner);
            if (tokens <= options_.tokens_max) {
                pieces_.push_back({begin, end, tokens});
                return;
            }
        }
        (this->*finer)(begin, end);
    }

    void pack(const Section& section) {
        std::size_t from = 0;
        while (from < pieces_.size()) {
            std::size_t to = from + 1;
            int tokens = pieces_[from].tokens;
            while (to < pieces_.size() && tokens + cost_after(to - 1, to) <= options_.tokens_max) {
                tokens += cost_after(to - 1, to);
                ++to;
            }
            emit(section, pieces_[from].begin, pieces_[to - 1].end);
            if (to == pieces_.size()) break;
            from = step_back(from, to);
        }
    }

    /// Tokens of a piece and of what parts it from the one before: blanks are at most a token a
    /// byte, and more than a blank line never stands between two.
    int cost_after(std::size_t before, std::size_t piece) const {
        const std::size_t gap = pieces_[piece].begin - pieces_[before].end;
        return pieces_[piece].tokens + static_cast<int>(std::min<std::size_t>(gap, 2));
    }

    /// Where the next chunk begins, so that it repeats at most `overlap` tokens.
    std::size_t step_back(std::size_t from, std::size_t to) const {
        int repeated = 0, needed = pieces_[to].tokens;
        std::size_t next = to;
        while (next > from + 1) {
            const int cost = cost_after(next - 1, next) - pieces_[next].tokens;
            repeated += pieces_[next - 1].tokens + cost;
            needed += pieces_[next - 1].tokens + cost;
            if (repeated > options_.overlap || needed > options_.tokens_max) break;
            --next;
        }
        return next;
    }

    void emit(const Section& section, std::size_t begin, std::size_t end) {
        Chunk chunk;
        chunk.text = std::string(text_.substr(begin, end - begin));
        chunk.place = {section.page, section.heading, static_cast<std::int64_t>(begin),
                       static_cast<std::int64_t>(end)};
        chunk.tokens = count_(chunk.text);
        chunks_.push_back(std::move(chunk));
    }

    std::string_view text_;
    const Document& document_;
    const SplitOptions& options_;
    const std::function<int(std::string_view)>& count_;
    std::vector<Piece> pieces_;
    std::vector<Chunk> chunks_;
};

}  // namespace

std::vector<Chunk> split(const Document& document, const SplitOptions& options,
                         const std::function<int(std::string_view)>& count_tokens) {
    if (options.tokens_max < 1) {
        throw Error(ErrorCode::kInvalidArgument,
                    "tokens_max is " + std::to_string(options.tokens_max) +
                        "; give a number of tokens from 1",
                    "tokens_max");
    }
    if (options.overlap < 0 || options.overlap > options.tokens_max / 2) {
        throw Error(ErrorCode::kInvalidArgument,
                    "overlap is " + std::to_string(options.overlap) +
                        "; give a number from 0 to half of tokens_max, which is " +
                        std::to_string(options.tokens_max / 2),
                    "overlap");
    }
    return Splitter(document, options, count_tokens).run();
}

std::string text_to_embed(const std::string& filename, const Chunk& chunk) {
    const std::string& above = chunk.place.heading.empty() ? filename : chunk.place.heading;
    return above.empty() ? chunk.text : above + "\n" + chunk.text;
}

}  // namespace jikji::knowledge
