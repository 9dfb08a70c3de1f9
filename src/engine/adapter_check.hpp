#pragma once
// An adapter's file, looked at before libllama sees it: that aborts the whole program on keys and
// tensors of other types than it expects. Whether its values are sound, and whether it was trained
// on this very base, is looked at when it is taken in (training/adapter_file.hpp). Threads: any.
#include <filesystem>
#include <string>

namespace jikji::engine {

/// The sha256 of the adapter, which fits the base: a LoRA in pairs A (n_in x rank, fastest first)
/// and B (rank x n_out) of F32, F16, BF16 or Q8_0, each for a linear weight of a layer, or for
/// output.weight, of that size. Reads all of it. Throws Error(kRejected) that says what is wrong.
std::string check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base);

}  // namespace jikji::engine
