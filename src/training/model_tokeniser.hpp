#pragma once
// A model file's own words for training: its tokenizer and its chat template. Threads: any.
#include <memory>

#include "training/dataset.hpp"

namespace jikji::llama {
class Model;
}

namespace jikji::training {

/// Shares the model, of which only the vocabulary is needed (ModelOptions::vocab_only). Nothing
/// that a turn holds becomes a control token.
Tokeniser tokeniser_of(std::shared_ptr<const llama::Model> model);

}  // namespace jikji::training
