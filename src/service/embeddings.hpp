#pragma once
// Text to vectors. Threads: any but the IO thread.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.hpp"

namespace jikji::service {

struct EmbeddingsRequest {
    std::string model;                               // empty = the default embedding model
    std::vector<std::string> texts;                  // texts, or
    std::vector<std::vector<engine::Token>> tokens;  // tokens
    engine::Side side = engine::Side::kNone;
    std::optional<int> dimensions;  // Error(kInvalidArgument) unless it is the model's own number
    std::string tenant = "local";   // who asks
    std::shared_ptr<const std::atomic<bool>> left;  // true once nobody waits; may be null
    bool cut = false;  // texts over the model's context are cut instead of refused
};

class Embeddings {
public:
    Embeddings(engine::Engine& engine, std::string default_model);
    engine::EmbeddingResult embed(const EmbeddingsRequest& request);
    int dimensions();  // of the default model
    /// Tokens of `text` in the default model's vocabulary, without specials or prefix.
    int count_tokens(const std::string& text);
    const std::string& default_model() const { return default_model_; }

private:
    engine::Engine& engine_;
    std::string default_model_;
};

}  // namespace jikji::service
