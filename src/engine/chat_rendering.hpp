#pragma once
// A chat with tools and a format for its answer, checked and handed to the model's template.
#include "engine/engine.hpp"
#include "llama/model.hpp"

namespace jikji::engine {

/// Throws as Engine::render_chat().
Rendered render_chat(const llama::Model& model, const ChatInput& input);

}  // namespace jikji::engine
