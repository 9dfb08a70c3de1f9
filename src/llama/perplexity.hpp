#pragma once
// How well a model predicts a text: e to the mean loss of a token, in nats. For comparing two forms
// of one model; between models with other vocabularies it says nothing.
//
// Definition (llama.cpp's perplexity program has the same): the text's tokens are cut into windows;
// each window starts anew, with the BOS in front if the model wants one, and the second half of
// its tokens is scored, each predicted from all before it in its window. What is left over at the
// end is not used.
// Threads   one at a time (a context of its own).
#include <memory>
#include <string_view>

#include "llama/model.hpp"

namespace jikji::llama {

struct PerplexityOptions {
    int window = 256;   // tokens, 8 to 512, even
    int together = 16;  // tokens of one pass; few are computed as decoding is, many as prefill
    int threads = 0;    // 0 = as many as the machine has for arithmetic
};

struct Perplexity {
    double value = 0;
    int scored = 0;  // tokens
};

/// Throws Error(kInvalidArgument) if the text has less than one window of tokens.
Perplexity perplexity(std::shared_ptr<const Model> model, std::string_view text,
                      const PerplexityOptions& options);

/// Our own prose, about 1,700 words, on which forms of a model are compared.
std::string_view fixed_english();
std::string_view fixed_korean();

}  // namespace jikji::llama
