#pragma once
// From token bytes to text that may be shown: whole UTF-8 characters only, nothing of a stop
// string, not even its first half.
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "engine/request.hpp"

namespace jikji::engine {

class TextFilter {
public:
    explicit TextFilter(std::vector<std::string> stop) : stop_(std::move(stop)) {}

    /// Takes the bytes of one token; gives what can be shown now. After stopped() it gives nothing.
    /// `logprob`, if any, travels with the piece in which the token's last byte is shown.
    Piece add(const std::string& bytes, const TokenLogprob* logprob);

    /// At the end without a stop string: what was held back. A character whose last bytes were
    /// never made is not shown; the logprobs of its tokens are given, for they hold the bytes.
    Piece flush();

    bool stopped() const { return stopped_; }

private:
    Piece take(std::size_t bytes);

    std::vector<std::string> stop_;
    std::string held_;
    struct Pending {
        std::size_t end;  // in the bytes of all tokens
        TokenLogprob logprob;
    };
    std::deque<Pending> pending_;
    std::deque<std::size_t> ends_;  // of the tokens that are not counted in a piece yet
    std::size_t received_ = 0;
    std::size_t shown_ = 0;
    bool stopped_ = false;
};

}  // namespace jikji::engine
