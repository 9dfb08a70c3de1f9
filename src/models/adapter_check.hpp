#pragma once
// Whether a LoRA adapter (a GGUF of general.type "adapter") can be used with a model, judged by the
// names and shapes of its tensors, so that llama.cpp is never given one that cannot. Any
// architecture. Threads: any.
#include <filesystem>

#include "models/gguf.hpp"

namespace jikji::models {

bool is_adapter(const Gguf& gguf);

/// Throws Error(kRejected, "adapter") that names the first thing which does not fit: the kind of
/// adapter, the architecture, a tensor without its partner, one that the base lacks, a shape. And
/// Error(kRejected, "base") if the base is an adapter itself. Values are not read.
void check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base);

}  // namespace jikji::models
