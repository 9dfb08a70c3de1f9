#pragma once
// Speculation by prompt lookup: an answer that quotes its prompt, or itself, goes on as that text
// did after the same tokens. What is proposed here is computed in the same step as the next token
// and kept only as far as the sampler would have chosen it anyway, so the answer's distribution
// stays what it is without.
//
// Source   Saxena 2023, "Prompt Lookup Decoding"; rule of acceptance by sampling each position:
//          Leviathan et al. 2022, arXiv:2211.17192, where the draft is a sure guess.
// Threads  one at a time.
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/request.hpp"

namespace jikji::engine {

class PromptLookup {
public:
    static constexpr int kMatch = 3;     // tokens that have to stand before a proposal
    static constexpr int kLongest = 16;  // tokens of one proposal

    /// Takes the tokens that have come since the last call: `tokens` is the whole text. Tokens that
    /// were not proposed by the caller count as well: whether the text would have been foretold is
    /// known without trying, so trying starts by itself when it begins to pay.
    void follow(std::span<const Token> tokens);

    /// What probably comes next, at most `most` tokens; empty if the text never went on from here.
    std::vector<Token> propose(std::span<const Token> tokens, int most) const;

    /// How many proposed tokens to compute: the count that makes most tokens per second of all that
    /// run, given the tokens that the step makes without and its seconds with `count` rows more. 0
    /// where none pays.
    int worth(int most, int tokens, const std::function<double(int count)>& seconds) const;

    /// Share of foretold tokens that came true lately, 0..1.
    double hit_rate() const { return hit_rate_; }

private:
    int foretold_at(std::span<const Token> tokens, std::size_t end) const;

    std::unordered_map<std::uint64_t, std::int32_t> after_;  // last kMatch tokens -> place behind
    std::size_t followed_ = 0;
    double hit_rate_ = 0.5;  // before anything is known: worth a try
};

}  // namespace jikji::engine
