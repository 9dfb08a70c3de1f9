#include "llama/pattern_grammar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "llama/utf8_ranges.hpp"

namespace jikji::llama {

const char* const kPlainCharacter = R"([^"\\\x00-\x1F\x7F])";

namespace {

using Ranges = std::vector<CharacterRange>;

[[noreturn]] void fail(const std::string& why) { throw std::invalid_argument(why); }

const Ranges kDigits = {{'0', '9'}};
const Ranges kWord = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges kSpace = {{' ', ' '}, {'\t', '\t'}, {'\n', '\n'}, {'\r', '\r'}};

std::string escape_in_json(std::uint32_t c) {
    switch (c) {
        case '"': return R"("\\\"")";
        case '\\': return R"("\\\\")";
        case '\n': return R"("\\n")";
        case '\r': return R"("\\r")";
        case '\t': return R"("\\t")";
        default: return {};
    }
}

/// The set as GBNF; what JSON escapes comes as its escape if the pattern names it.
std::string written(const Ranges& ranges, bool named) {
    std::string out;
    std::string set;
    for (const auto& [first, last] : normalised(ranges, false)) {
        if (named) {
            for (const std::uint32_t c : {'"', '\\', '\n', '\r', '\t'}) {
                if (c >= first && c <= last)
                    out.append(out.empty() ? "" : " | ").append(escape_in_json(c));
            }
        }
        std::uint32_t next = std::max(first, 0x20u);
        const auto put = [&](std::uint32_t to) {
            if (next <= to) set += fmt::format("\\U{:08X}-\\U{:08X}", next, to);
        };
        for (const std::uint32_t hole : {0x22u, 0x5Cu, 0x7Fu}) {
            if (hole < next || hole > last) continue;
            if (hole > next) put(hole - 1);
            next = hole + 1;
        }
        put(last);
    }
    if (!set.empty()) out += (out.empty() ? "[" : " | [") + set + "]";
    if (out.empty()) fail("it asks for a character that a JSON string cannot hold");
    return "(" + out + ")";
}

class Reader {
public:
    Reader(const std::string& text, int most) : text_(text), most_(most) {}

    std::string read() {
        const bool from_start = peek() == '^';
        if (from_start) ++at_;
        std::string out = alternatives(0);
        const bool to_end = anchored_;
        if (at_ < text_.size()) fail("a ) has no (");
        if (choices_ && (from_start || to_end)) {
            fail("an anchor stands beside |; put the alternatives into ( )");
        }
        const std::string any = std::string(kPlainCharacter) + "*";
        if (!from_start) out = any + " " + out;
        if (!to_end) out += " " + any;
        return out;
    }

private:
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    bool ended() const { return at_ >= text_.size(); }

    std::string alternatives(int depth) {
        if (depth > 50) fail("its brackets nest deeper than 50");
        std::string out = sequence(depth);
        while (peek() == '|') {
            ++at_;
            if (depth == 0) choices_ = true;
            out.append(" | ").append(sequence(depth));
        }
        return "(" + out + ")";
    }

    std::string sequence(int depth) {
        std::string out = "\"\"";
        while (!ended() && peek() != '|' && peek() != ')') {
            if (peek() == '$' && depth == 0 && at_ + 1 == text_.size()) {
                ++at_;
                anchored_ = true;
                break;
            }
            out.append(" ").append(quantified(item(depth)));
        }
        return out;
    }

    std::string item(int depth) {
        const char c = peek();
        if (c == '(') return group(depth);
        if (c == '[') return set();
        if (c == '^' || c == '$') fail("an anchor stands inside");
        if (c == '*' || c == '+' || c == '?' || c == '{')
            fail("nothing stands before a repetition");
        if (c == '.') {
            ++at_;
            return written(normalised({{'\n', '\n'}, {'\r', '\r'}}, true), false);
        }
        if (c == '\\') {
            bool named = true;
            const Ranges ranges = escape(named);
            return written(ranges, named);
        }
        const std::uint32_t one = character();
        return written({{one, one}}, true);
    }

    std::string group(int depth) {
        ++at_;
        if (peek() == '?') {
            if (peek(1) != ':') fail("(?…) other than (?:…) is not supported");
            at_ += 2;
        }
        std::string out = alternatives(depth + 1);
        if (peek() != ')') fail("a ( is not closed");
        ++at_;
        return out;
    }

    std::string set() {
        ++at_;
        const bool inverted = peek() == '^';
        if (inverted) ++at_;
        Ranges ranges;
        while (peek() != ']') {
            if (ended()) fail("a [ is not closed");
            bool one = true;
            Ranges part = set_member(one);
            if (one && peek() == '-' && peek(1) != ']' && peek(1) != '\0') {
                ++at_;
                bool also_one = true;
                const Ranges last = set_member(also_one);
                if (!also_one || last[0].first < part[0].first) fail("a range in [ ] is wrong");
                part[0].second = last[0].first;
            }
            ranges.insert(ranges.end(), part.begin(), part.end());
        }
        ++at_;
        return written(normalised(std::move(ranges), inverted), !inverted);
    }

    Ranges set_member(bool& one) {
        if (peek() == '\\') {
            bool named = true;
            Ranges out = escape(named);
            one = out.size() == 1 && out[0].first == out[0].second;
            return out;
        }
        const std::uint32_t c = character();
        return {{c, c}};
    }

    // `named` becomes false for a class that only happens to hold what JSON escapes.
    Ranges escape(bool& named) {
        const char c = peek(1);
        if (c == '\0') fail("it ends with a backslash");
        if (c == 'u' || c == 'x') return {{hex(c == 'u' ? 4 : 2), last_}};
        at_ += 2;
        if (c == 'n') return {{'\n', '\n'}};
        if (c == 'r') return {{'\r', '\r'}};
        if (c == 't') return {{'\t', '\t'}};
        named = c == 's' || !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
        switch (c) {
            case 'd': return kDigits;
            case 'w': return kWord;
            case 's': return kSpace;
            case 'D': return normalised(kDigits, true);
            case 'W': return normalised(kWord, true);
            case 'S': return normalised(kSpace, true);
            default: break;
        }
        if (!named || (c >= '0' && c <= '9')) fail(fmt::format("\\{} is not supported", c));
        const auto same = static_cast<std::uint32_t>(static_cast<unsigned char>(c));
        return {{same, same}};
    }

    std::uint32_t hex(int digits) {
        at_ += 2;
        last_ = 0;
        for (int i = 0; i < digits; ++i, ++at_) {
            const char c = peek();
            if (std::isxdigit(static_cast<unsigned char>(c)) == 0)
                fail("\\u wants four digits, \\x two");
            last_ =
                last_ * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
        }
        return last_;
    }

    std::uint32_t character() {
        const auto lead = static_cast<unsigned char>(peek());
        const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        std::uint32_t out = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        for (std::size_t i = 1; i < size; ++i) {
            out = out << 6 | (static_cast<unsigned char>(peek(i)) & 0x3Fu);
        }
        at_ += size;
        return out;
    }

    int count() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        if (at_ == start || at_ - start > 6) fail("{m,n} wants numbers");
        const int out = std::stoi(text_.substr(start, at_ - start));
        if (out > most_) fail(fmt::format("it repeats {} times; {} is the limit", out, most_));
        return out;
    }

    std::string quantified(std::string item) {
        const char c = peek();
        if (c == '*' || c == '+' || c == '?') {
            ++at_;
            item += c;
        } else if (c == '{') {
            ++at_;
            const int least = count();
            item += fmt::format("{{{}", least);
            if (peek() == ',') {
                ++at_;
                item += ',';
                if (peek() != '}') {
                    const int most = count();
                    if (most < least) fail("in {m,n} n is less than m");
                    item += std::to_string(most);
                }
            }
            if (peek() != '}') fail("a { is not closed");
            ++at_;
            item += '}';
        } else {
            return item;
        }
        if (peek() == '?') ++at_;  // lazy: the same texts
        return item;
    }

    const std::string& text_;
    int most_;
    std::size_t at_ = 0;
    std::uint32_t last_ = 0;
    bool choices_ = false;   // | outside all brackets
    bool anchored_ = false;  // $ at the end
};

}  // namespace

std::string pattern_grammar(const std::string& pattern, int most_repeats) {
    return Reader(pattern, most_repeats).read();
}

}  // namespace jikji::llama
