#pragma once
// What a model takes of the machine's memory: known from its file before it is loaded, and then
// from what was really made. Threads: any.
#include <cstdint>
#include <filesystem>

#include "engine/engine.hpp"

namespace jikji::engine {

/// Bytes. Mapped pages do not lessen what the machine calls available: it may drop them.
struct ModelMemory {
    std::uint64_t mapped = 0;   // weights, read where the file has them
    std::uint64_t copied = 0;   // weights in an order of our own, panels of products
    std::uint64_t cells = 0;    // KV cells
    std::uint64_t working = 0;  // intermediate results of the largest step
    std::uint64_t total() const { return mapped + copied + cells + working; }
    std::uint64_t held() const { return total() - mapped; }
};

/// KV cells of a chat model with that context.
int cells_of(const EngineOptions& options, int context);

/// Before it is loaded, from the file:
///   weights  all tensors, once (not where a GPU takes them): mapped, or copied in another order.
///   An encoder of our own has
///            panels beside the file, of 4 bytes a weight of its layers at most
///   cells    models::memory_at(), which counts F16 and deducts no sliding window
///   working  512 tokens x 4 bytes x (8 x embedding + 2 x feed-forward), a row of logits for each
///            sequence, and 16 MiB
/// Panels that products may keep (llama::ModelOptions::panel_bytes_most) are not counted: they are
/// made where there is room. Throws Error(kRejected) for a file that is damaged.
ModelMemory memory_wanted(const std::filesystem::path& file, bool own_encoder,
                          const EngineOptions& options);

}  // namespace jikji::engine
