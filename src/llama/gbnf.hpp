#pragma once
// GBNF, llama.cpp's grammar notation, read into rules over bytes.
//
// Language  name ::= "text" [a-z] [^a-z] . (group) <[id]> <token> !<[id]>, | and * + ? {m} {m,}
// {m,n} Bytes     a set of characters beyond ASCII becomes the sequences of bytes that spell them,
// so the
//           automaton (llama/grammar.hpp) never holds half a character, and lets no text pass that
//           is not UTF-8.
// Threads   plain data.
#include <bitset>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::llama {

using ByteSet = std::bitset<256>;

/// One step of an alternative.
struct GbnfSymbol {
    enum Kind : std::uint8_t { kEnd, kBytes, kRule, kToken, kNotToken };
    Kind kind;
    std::uint32_t value;  // kBytes: which set; kRule: which rule; kToken: the token
};

struct GbnfRules {
    std::vector<GbnfSymbol> symbols;                       // alternatives, each closed by kEnd
    std::vector<std::vector<std::uint32_t>> alternatives;  // of each rule: where they begin
    std::vector<ByteSet> sets;
    std::uint32_t root = 0;
};

/// What a grammar of a stranger may cost.
struct GbnfLimits {
    std::size_t bytes = 256u << 10;  // of its text
    std::size_t symbols = 400'000;   // after repetitions are written out
    int repeats = 2000;              // m and n of {m,n}
    int nesting = 200;               // of brackets
};

/// The token of a text such as "<|tool|>", or -1.
using TokenOfText = std::function<int(std::string_view)>;

/// Throws Error(kInvalidArgument), field "grammar", that names the line:
/// unreadable, no root, an undefined rule, left recursion, texts without end, more than the
/// limits.
GbnfRules parse_gbnf(std::string_view text, const TokenOfText& token_of_text,
                     const GbnfLimits& limits = {});

}  // namespace jikji::llama
