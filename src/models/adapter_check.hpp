#pragma once
// Whether a LoRA adapter (a GGUF of general.type "adapter") can be used with a model, looked at
// before libllama sees it: that aborts the whole program on keys and tensors of other types than it
// expects. Any architecture. Whether its values are sound is training/adapter_file.hpp's to say.
// Threads: any.
#include <filesystem>

#include "models/gguf.hpp"

namespace jikji::models {

bool is_adapter(const Gguf& gguf);

/// A LoRA in pairs A (n_in x rank, fastest first) and B (rank x n_out) of F32, F16, BF16 or Q8_0,
/// each for a linear weight of a layer of the base, or for its output.weight, of that size. Throws
/// Error(kRejected, "adapter") that names the first thing which does not fit, or "base" if the base
/// is an adapter itself.
void check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base);

}  // namespace jikji::models
