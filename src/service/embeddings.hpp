#pragma once
// Text to vectors. Threads: any but the IO thread.
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "service/caller.hpp"

namespace jikji::service {

struct EmbeddingsRequest {
    std::string model;                               // empty = the default embedding model
    std::vector<std::string> texts;                  // texts, or
    std::vector<std::vector<engine::Token>> tokens;  // tokens
    engine::Side side = engine::Side::kNone;
    std::optional<int> dimensions;  // Error(kInvalidArgument) unless it is the model's own number
    Caller caller;
    bool cut = false;  // texts over the model's context are cut instead of refused
};

class Embeddings {
public:
    Embeddings(engine::Engine& engine, std::string default_model);
    engine::EmbeddingResult embed(const EmbeddingsRequest& request);
    /// The same without waiting for the vectors; see Engine::start_embedding().
    std::future<engine::EmbeddingResult> start(const EmbeddingsRequest& request,
                                               std::function<void()> ready);
    int dimensions();  // of the default model
    /// Tokens of `text` in the default model's vocabulary, without specials or prefix.
    int count_tokens(const std::string& text);
    const std::string& default_model() const { return default_model_; }

private:
    engine::EmbeddingRequest in_tokens(const EmbeddingsRequest& request);

    engine::Engine& engine_;
    std::string default_model_;
};

}  // namespace jikji::service
