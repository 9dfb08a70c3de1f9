#include "text/terms.hpp"

#include <libstemmer.h>
#include <utf8proc.h>

#include <memory>
#include <unordered_set>

#include "base/error.hpp"
#include "text/normalise.hpp"

namespace jikji::text {
namespace {

// A longer "word" is data (base64, hashes); pieces of it keep the index sane.
constexpr std::size_t kWordBytesMax = 64;
// Beyond this a cluster is a pile of combining marks that somebody made to do harm.
constexpr std::size_t kClusterBytesMax = 64;

class Stemmer {
public:
    Stemmer() : handle_(sb_stemmer_new("english", "UTF_8")) { JIKJI_CHECK(handle_ != nullptr); }

    std::string_view stem(std::string_view word) {  // valid until the next call
        const sb_symbol* stem =
            sb_stemmer_stem(handle_.get(), reinterpret_cast<const sb_symbol*>(word.data()),
                            static_cast<int>(word.size()));
        if (stem == nullptr) return word;  // out of memory: the word itself still works
        return {reinterpret_cast<const char*>(stem),
                static_cast<std::size_t>(sb_stemmer_length(handle_.get()))};
    }

private:
    struct Delete {
        void operator()(sb_stemmer* s) const noexcept { sb_stemmer_delete(s); }
    };
    std::unique_ptr<sb_stemmer, Delete> handle_;
};

Stemmer& stemmer() {
    thread_local Stemmer stemmer;  // libstemmer's handle is not for two threads
    return stemmer;
}

enum class Kind { kSeparator, kWord, kSyllable };

bool is_syllable(char32_t c) {
    return (c >= 0xAC00 && c <= 0xD7FF) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x1100 && c <= 0x11FF) ||
           (c >= 0x3005 && c <= 0x3007) || (c >= 0x3041 && c <= 0x318F) ||
           (c >= 0x31F0 && c <= 0x31FF) || (c >= 0xA960 && c <= 0xA97F) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF);
}

Kind kind_of(char32_t c) {
    if (c < 0x80) {
        const bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        return word ? Kind::kWord : Kind::kSeparator;
    }
    if (is_syllable(c)) return Kind::kSyllable;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    const bool word = category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
    return word ? Kind::kWord : Kind::kSeparator;
}

/// Syllables and characters that are their own normal form and begin a cluster: nearly all of
/// Korean text, so this is what makes it fast.
bool is_whole(char32_t c) { return (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x4E00 && c <= 0x9FFF); }

/// What is seen as one character: the end of the cluster that begins at `at`.
std::size_t cluster_end(std::string_view text, std::size_t at) {
    CodePoint point = code_point_at(text, at);
    std::size_t end = at + point.bytes;
    utf8proc_int32_t state = 0;
    while (end < text.size() && end - at < kClusterBytesMax) {
        const CodePoint next = code_point_at(text, end);
        if (next.value < 0x300 || is_whole(next.value)) break;  // combines with nothing before it
        if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(point.value),
                                             static_cast<utf8proc_int32_t>(next.value), &state)) {
            break;
        }
        point = next;
        end += next.bytes;
    }
    return end;
}

using Emit = std::function<bool(std::string_view, std::size_t, std::size_t)>;

/// Takes normalised characters with the source bytes they came from; gives terms.
class Runs {
public:
    explicit Runs(const Emit& emit) : emit_(emit) {}

    bool take(char32_t c, std::size_t begin, std::size_t end) {
        switch (kind_of(c)) {
            case Kind::kWord: return take_word(c, begin, end);
            case Kind::kSyllable: return take_syllable(c, begin, end);
            case Kind::kSeparator: break;
        }
        return close();
    }

    bool close() { return close_word() && close_syllables(); }

private:
    bool take_word(char32_t c, std::size_t begin, std::size_t end) {
        if (!close_syllables()) return false;
        if (word_.size() >= kWordBytesMax && !close_word()) return false;
        if (word_.empty()) word_begin_ = begin;
        append_utf8(word_, c);
        word_end_ = end;
        return true;
    }

    bool take_syllable(char32_t c, std::size_t begin, std::size_t end) {
        if (!close_word()) return false;
        std::string syllable;
        append_utf8(syllable, c);
        if (!last_.empty()) {
            paired_ = true;
            if (!emit_(last_ + syllable, last_begin_, end)) return false;
        }
        last_ = std::move(syllable);
        last_begin_ = begin;
        last_end_ = end;
        return true;
    }

    bool close_word() {
        if (word_.empty()) return true;
        const bool go_on = emit_(stemmer().stem(word_), word_begin_, word_end_);
        word_.clear();
        return go_on;
    }

    bool close_syllables() {
        const bool alone = !last_.empty() && !paired_;
        const bool go_on = !alone || emit_(last_, last_begin_, last_end_);
        last_.clear();
        paired_ = false;
        return go_on;
    }

    const Emit& emit_;
    std::string word_;
    std::size_t word_begin_ = 0, word_end_ = 0;
    std::string last_;  // syllable
    std::size_t last_begin_ = 0, last_end_ = 0;
    bool paired_ = false;
};

bool take_cluster(Runs& runs, std::string_view text, std::size_t begin, std::size_t end) {
    const std::string normal = casefold_nfkc(text.substr(begin, end - begin));
    for (std::size_t at = 0; at < normal.size();) {
        const CodePoint point = code_point_at(normal, at);
        if (!runs.take(point.value, begin, end)) return false;
        at += point.bytes;
    }
    return true;
}

char32_t lower_ascii(char32_t c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

const char* const kStopWords =
    "a an the of in on at to for from by with about as is are was were be been do does did how "
    "what which who whom whose when where why can could should would will may might must shall "
    "have has had it its this that these those there and or but not no if then than so such i you "
    "he she we they my your his her our their me him them us s t please tell explain describe many "
    "much any some all into per up out "
    "니다 습니 입니 에서 하는 으로 이다 있는 있다 있습 없습 하다 한다 했다 했습 합니 됩니 되는 "
    "되어 된다 됐다 었다 았다 었습 았습 였다 였습 에게 부터 까지 인가 가요 나요 까요 은가 는가 "
    "한가 는지 은지 인지 무엇 엇인 어떤 어디 누구 언제 얼마 마나 어떻 떻게 알려 려주 주세 세요 "
    "것은 것이 것을 이란 이며 하고 하여 해서 하기 하지 하면 이고 지만 라고 라는 이라 "
    "위해 대해 대한 관한 관하 대하 따라 통해 그리 리고 그러 러나 또는 경우 무슨 며칠 몇 나오 나온 "
    "나옵 오나 걸리 걸려 들어 내야 받나 쓰나 쓰려 열리 열려 있어 있을 가능 필요 알고 싶어 싶은 "
    "궁금 은 는 "
    "이 가 을 를 의 에 도 로 와 과 나 및 등 수 것 그 저 해 할 한 인 적";

std::unordered_set<std::string> make_stop_terms() {
    std::unordered_set<std::string> stop;
    for_each_term(kStopWords, [&](std::string_view term, std::size_t, std::size_t) {
        stop.emplace(term);
        return true;
    });
    return stop;
}

}  // namespace

void for_each_term(std::string_view text, const Emit& emit) {
    Runs runs(emit);
    for (std::size_t at = 0; at < text.size();) {
        const CodePoint point = code_point_at(text, at);
        const bool broken = point.value == 0xFFFD;
        const std::size_t end = broken ? at + point.bytes : cluster_end(text, at);
        const bool alone = end == at + point.bytes;
        bool go_on = false;
        if (broken) {
            go_on = runs.close();
        } else if (alone && (point.value < 0x80 || is_whole(point.value))) {
            go_on = runs.take(lower_ascii(point.value), at, end);
        } else {
            go_on = take_cluster(runs, text, at, end);
        }
        if (!go_on) return;
        at = end;
    }
    runs.close();
}

std::vector<std::string> terms_of(std::string_view text) {
    std::vector<std::string> terms;
    for_each_term(text, [&](std::string_view term, std::size_t, std::size_t) {
        terms.emplace_back(term);
        return true;
    });
    return terms;
}

bool is_stop_term(std::string_view term) {
    static const std::unordered_set<std::string> stop = make_stop_terms();
    return stop.contains(std::string(term));
}

}  // namespace jikji::text
