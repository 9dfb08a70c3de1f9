#include "llama/gbnf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/error.hpp"
#include "llama/gbnf_recursion.hpp"
#include "llama/utf8_ranges.hpp"

namespace jikji::llama {
namespace {

using Item = std::vector<GbnfSymbol>;
constexpr GbnfSymbol kClose{GbnfSymbol::kEnd, 0};

class Parser {
public:
    Parser(std::string_view text, const TokenOfText& token_of_text, const GbnfLimits& limits)
        : text_(text), token_of_text_(token_of_text), limits_(limits) {}

    GbnfRules read() {
        if (text_.size() > limits_.bytes) {
            too_large(fmt::format("it has {} bytes, and may have {}", text_.size(), limits_.bytes));
        }
        skip(true);
        while (!ended()) read_rule();
        finish();
        return std::move(rules_);
    }

private:
    bool ended() const { return at_ >= text_.size(); }
    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    [[noreturn]] void fail(const std::string& why, ErrorCode code = ErrorCode::kInvalidArgument) {
        const auto line =
            1 + std::count(text_.begin(),
                           text_.begin() + static_cast<std::ptrdiff_t>(std::min(at_, text_.size())),
                           '\n');
        throw Error(code, fmt::format("the grammar, line {}: {}", line, why), "grammar",
                    fmt::format("문법 {}번째 줄: {}", line, why));
    }
    [[noreturn]] void too_large(const std::string& why) { fail(why, ErrorCode::kInvalidArgument); }

    void skip(bool lines) {
        while (!ended()) {
            const char c = peek();
            if (c == '#') {
                while (!ended() && peek() != '\n' && peek() != '\r') ++at_;
            } else if (c == ' ' || c == '\t' || (lines && (c == '\n' || c == '\r'))) {
                ++at_;
            } else {
                return;
            }
        }
    }

    static bool in_name(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    }

    std::string read_name() {
        const std::size_t start = at_;
        while (in_name(peek())) ++at_;
        if (at_ == start) fail("a rule's name is expected here");
        return std::string(text_.substr(start, at_ - start));
    }

    std::uint32_t rule_of(const std::string& name) {
        const auto [found, fresh] = ids_.emplace(name, 0);
        if (fresh) found->second = new_rule();
        return found->second;
    }
    std::uint32_t new_rule() {
        rules_.alternatives.emplace_back();
        return static_cast<std::uint32_t>(rules_.alternatives.size() - 1);
    }

    void define(std::uint32_t rule, const Item& alternative) {
        if (rules_.symbols.size() + alternative.size() > limits_.symbols) {
            too_large(
                fmt::format("with its repetitions it has more than {} symbols; make it "
                            "smaller, or its {{m,n}}",
                            limits_.symbols));
        }
        rules_.alternatives[rule].push_back(static_cast<std::uint32_t>(rules_.symbols.size()));
        rules_.symbols.insert(rules_.symbols.end(), alternative.begin(), alternative.end());
        rules_.symbols.push_back(kClose);
    }

    void read_rule() {
        const std::string name = read_name();
        skip(false);
        if (text_.substr(at_, 3) != "::=") fail("::= is expected after the name " + name);
        at_ += 3;
        skip(true);
        const std::uint32_t rule = rule_of(name);
        if (!rules_.alternatives[rule].empty()) fail("the rule " + name + " is defined twice");
        read_alternatives(rule, false, 0);
        if (!ended() && peek() != '\n' && peek() != '\r') fail("the end of the line is expected");
        skip(true);
    }

    void read_alternatives(std::uint32_t rule, bool nested, int depth) {
        if (depth > limits_.nesting) {
            too_large(fmt::format("brackets are nested deeper than {}", limits_.nesting));
        }
        define(rule, read_sequence(nested, depth));
        while (peek() == '|') {
            ++at_;
            skip(true);
            define(rule, read_sequence(nested, depth));
        }
    }

    Item read_sequence(bool nested, int depth) {
        Item out;
        Item last;
        bool some = false;  // `last` can be repeated
        const auto keep = [&] {
            out.insert(out.end(), last.begin(), last.end());
            if (out.size() > limits_.symbols) too_large("it is too long");
        };
        while (!ended()) {
            const char c = peek();
            if (c == '*' || c == '+' || c == '?' || c == '{') {
                if (!some) fail("nothing stands before the repetition");
                last = repeated(last);
            } else if (c == '"' || c == '[' || c == '.' || c == '(' || c == '<' || c == '!' ||
                       in_name(c)) {
                keep();
                last = read_item(depth);
                some = true;
            } else {
                break;
            }
            skip(nested);
        }
        keep();
        return out;
    }

    Item read_item(int depth) {
        const char c = peek();
        if (c == '"') return read_literal();
        if (c == '[') return read_set();
        if (c == '<' || c == '!') return read_token();
        if (c == '.') {
            ++at_;
            return characters({}, true);
        }
        if (c != '(') return {{GbnfSymbol::kRule, rule_of(read_name())}};
        ++at_;
        skip(true);
        const std::uint32_t rule = new_rule();
        read_alternatives(rule, true, depth + 1);
        if (peek() != ')') fail("a ) is missing");
        ++at_;
        return {{GbnfSymbol::kRule, rule}};
    }

    Item read_literal() {
        Item out;
        ++at_;
        while (peek() != '"') {
            for (const auto& sequence : utf8_sequences({one(read_character())})) {
                for (const auto& [byte, same] : sequence) out.push_back(bytes(byte, byte));
            }
        }
        ++at_;
        return out;
    }
    static CharacterRange one(std::uint32_t c) { return {c, c}; }

    Item read_set() {
        ++at_;
        const bool inverted = peek() == '^';
        if (inverted) ++at_;
        std::vector<CharacterRange> ranges;
        while (peek() != ']') {
            const std::uint32_t first = read_character();
            std::uint32_t last = first;
            if (peek() == '-' && peek(1) != ']') {
                ++at_;
                last = read_character();
            }
            ranges.emplace_back(first, last);
        }
        ++at_;
        return characters(std::move(ranges), inverted);
    }

    Item read_token() {
        const bool inverted = peek() == '!';
        if (inverted) ++at_;
        const auto end = text_.find('>', at_);
        if (peek() != '<' || end == std::string_view::npos) fail("a token is <[number]> or <text>");
        const std::string_view name = text_.substr(at_, end + 1 - at_);
        at_ = end + 1;
        int token = -1;
        if (name.size() > 4 && name[1] == '[' && name[name.size() - 2] == ']') {
            token = number(name.substr(2, name.size() - 4));
        } else if (token_of_text_) {
            token = token_of_text_(name);
        }
        if (token < 0) fail(fmt::format("{} is no token of this model", name));
        const auto kind = inverted ? GbnfSymbol::kNotToken : GbnfSymbol::kToken;
        return {{kind, static_cast<std::uint32_t>(token)}};
    }

    static int number(std::string_view digits) {
        if (digits.empty() || digits.size() > 9) return -1;
        int out = 0;
        for (const char c : digits) {
            if (c < '0' || c > '9') return -1;
            out = out * 10 + (c - '0');
        }
        return out;
    }

    std::uint32_t read_character() {
        if (ended()) fail("the text ends inside \"\" or []");
        if (peek() == '\\') return read_escape();
        const auto lead = static_cast<unsigned char>(peek());
        const int size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        std::uint32_t out = size == 1 ? lead : lead & (0xFFu >> (size + 1));
        bool good = lead < 0x80 || (lead >= 0xC2 && lead <= 0xF4);
        for (int i = 1; i < size; ++i) {
            const auto next = static_cast<unsigned char>(peek(static_cast<std::size_t>(i)));
            good = good && (next & 0xC0) == 0x80;
            out = (out << 6) | (next & 0x3F);
        }
        if (!good) fail("this is not UTF-8");
        at_ += static_cast<std::size_t>(size);
        return out;
    }

    std::uint32_t read_escape() {
        const char c = peek(1);
        at_ += 2;
        if (c == 'x') return read_hex(2);
        if (c == 'u') return read_hex(4);
        if (c == 'U') return read_hex(8);
        if (c == 't') return '\t';
        if (c == 'r') return '\r';
        if (c == 'n') return '\n';
        if (c == '\\' || c == '"' || c == '[' || c == ']' || c == '-') {
            return static_cast<std::uint32_t>(c);
        }
        fail("this escape is not known; there are \\n \\r \\t \\\\ \\\" \\[ \\] \\- \\x \\u \\U");
    }

    std::uint32_t read_hex(int digits) {
        std::uint32_t out = 0;
        for (int i = 0; i < digits; ++i, ++at_) {
            const char c = peek();
            const int value = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (value < 0) fail(fmt::format("{} hexadecimal digits are expected", digits));
            out = out << 4 | static_cast<std::uint32_t>(value);
        }
        return out;
    }

    GbnfSymbol bytes(std::uint8_t first, std::uint8_t last) {
        ByteSet set;
        for (unsigned b = first; b <= last; ++b) set.set(b);
        return bytes(set);
    }
    GbnfSymbol bytes(const ByteSet& set) {
        const auto [found, fresh] = set_ids_.emplace(set, rules_.sets.size());
        if (fresh) rules_.sets.push_back(set);
        return {GbnfSymbol::kBytes, static_cast<std::uint32_t>(found->second)};
    }

    // ASCII is one set; the rest is a rule, made once for each set of characters.
    Item characters(std::vector<CharacterRange> ranges, bool inverted) {
        ranges = normalised(std::move(ranges), inverted);
        if (ranges.empty() || ranges.back().second < 0x80) {
            ByteSet set;
            for (const auto& [first, last] : ranges) {
                for (std::uint32_t c = first; c <= last; ++c) set.set(c);
            }
            return {bytes(set)};
        }
        const auto known = character_rules_.find(ranges);
        if (known != character_rules_.end()) return {{GbnfSymbol::kRule, known->second}};
        const std::uint32_t rule = new_rule();
        ByteSet ascii;
        for (const auto& sequence : utf8_sequences(ranges)) {
            if (sequence.size() == 1) {
                for (unsigned b = sequence[0].first; b <= sequence[0].second; ++b) ascii.set(b);
                continue;
            }
            Item item;
            for (const auto& [first, last] : sequence) item.push_back(bytes(first, last));
            define(rule, item);
        }
        if (ascii.any()) define(rule, {bytes(ascii)});
        character_rules_.emplace(std::move(ranges), rule);
        return {{GbnfSymbol::kRule, rule}};
    }

    int read_count() {
        const std::size_t start = at_;
        while (peek() >= '0' && peek() <= '9') ++at_;
        const int out = number(text_.substr(start, at_ - start));
        if (at_ == start) fail("a number is expected in {m,n}");
        if (out < 0 || out > limits_.repeats) {
            too_large(fmt::format("{{{}}} repeats too often; {} is the limit",
                                  text_.substr(start, std::min<std::size_t>(at_ - start, 20)),
                                  limits_.repeats));
        }
        skip(true);
        return out;
    }

    Item repeated(const Item& item) {
        const char c = peek();
        ++at_;
        if (c == '*') return repeat(item, 0, -1);
        if (c == '+') return repeat(item, 1, -1);
        if (c == '?') return repeat(item, 0, 1);
        skip(true);
        const int least = read_count();
        int most = least;
        if (peek() == ',') {
            ++at_;
            skip(true);
            most = peek() == '}' ? -1 : read_count();
        }
        if (peek() != '}') fail("a } is missing");
        ++at_;
        if (most >= 0 && most < least) fail("in {m,n} n is less than m");
        return repeat(item, least, most);
    }

    // S{2,4} is S S X with X ::= S Y | and Y ::= S |; S{2,} is S S Z with Z ::= S Z |.
    Item repeat(Item item, int least, int most) {
        if (item.empty()) return item;
        if (item.size() > 1) {
            const std::uint32_t rule = new_rule();
            define(rule, item);
            item = {{GbnfSymbol::kRule, rule}};
        }
        Item out(static_cast<std::size_t>(least), item[0]);
        if (most < 0) {
            const std::uint32_t more = new_rule();
            define(more, {item[0], {GbnfSymbol::kRule, more}});
            define(more, {});
            out.push_back({GbnfSymbol::kRule, more});
            return out;
        }
        Item rest;
        for (int i = least; i < most; ++i) {
            const std::uint32_t one_more = new_rule();
            Item alternative = {item[0]};
            alternative.insert(alternative.end(), rest.begin(), rest.end());
            define(one_more, alternative);
            define(one_more, {});
            rest = {{GbnfSymbol::kRule, one_more}};
        }
        out.insert(out.end(), rest.begin(), rest.end());
        return out;
    }

    void finish() {
        const auto root = ids_.find("root");
        if (root == ids_.end()) fail("there is no rule named root");
        for (const auto& [name, rule] : ids_) {
            if (rules_.alternatives[rule].empty()) fail("the rule " + name + " is not defined");
        }
        rules_.root = root->second;
        const int culprit = left_recursive_rule(rules_);
        if (culprit < 0 && !root_can_end(rules_)) fail("none of its texts ever ends");
        if (culprit < 0) return;
        std::string named = "a rule";
        for (const auto& [name, rule] : ids_) {
            if (rule == static_cast<std::uint32_t>(culprit)) named = "the rule " + name;
        }
        fail(named + " begins with itself (left recursion); put what it begins with first");
    }

    std::string_view text_;
    const TokenOfText& token_of_text_;
    const GbnfLimits& limits_;
    std::size_t at_ = 0;
    GbnfRules rules_;
    std::map<std::string, std::uint32_t> ids_;
    std::unordered_map<ByteSet, std::size_t> set_ids_;
    std::map<std::vector<CharacterRange>, std::uint32_t> character_rules_;
};

}  // namespace

GbnfRules parse_gbnf(std::string_view text, const TokenOfText& token_of_text,
                     const GbnfLimits& limits) {
    return Parser(text, token_of_text, limits).read();
}

}  // namespace jikji::llama
