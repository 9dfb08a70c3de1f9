#include "engine/model_memory.hpp"

#include <algorithm>

#include "models/gguf.hpp"
#include "models/inspect.hpp"

namespace jikji::engine {
namespace {

constexpr std::uint64_t kStep = 512, kSmallThings = 16u << 20;
constexpr std::uint64_t kMost = std::uint64_t{1} << 50;  // a file says what it likes

std::uint64_t panels_of_encoder(const models::ModelFacts& facts) {
    const std::uint64_t width = std::min(facts.embedding_length, kMost);
    const std::uint64_t weights =
        facts.layers * width * (4 * width + 2 * facts.feed_forward_length);
    return 4 * std::min(weights, facts.parameters) + 4 * facts.context_trained * width;
}

}  // namespace

// What a chat takes on average; cells are memory even when idle (23 KB each on SmolLM2).
constexpr int kCellsPerSequence = 128;

int cells_of(const EngineOptions& options, int context) {
    if (options.cells == 0) return context + options.parallel * kCellsPerSequence;
    return std::max(options.cells, context);  // one sequence always fits
}

ModelMemory memory_wanted(const std::filesystem::path& file, bool own_encoder,
                          const EngineOptions& options) {
    const models::GgufFile opened(file);
    const models::ModelFacts facts = models::facts_of(opened.gguf());
    ModelMemory out;
    out.mapped = facts.weight_bytes;
    const std::uint64_t row = 8 * facts.embedding_length + 2 * facts.feed_forward_length;
    out.working = std::min(kStep * 4 * row, kMost) + kSmallThings;
    if (facts.embedding) {
        if (own_encoder) out.copied = panels_of_encoder(facts);
        return out;
    }
    // On a GPU they are no part of this memory, and of the file's pages none has to stay.
    if (options.gpu_layers != 0 && !devices().empty()) out.mapped = 0;
    const auto trained = std::min<std::uint64_t>(facts.context_trained, kMost);
    const int context = static_cast<int>(
        std::min<std::uint64_t>(static_cast<std::uint64_t>(options.context), trained));
    out.cells =
        models::memory_at(facts, static_cast<std::uint64_t>(cells_of(options, context))).cache;
    out.working += 4 * facts.vocabulary * static_cast<std::uint64_t>(options.parallel + 1);
    return out;
}

}  // namespace jikji::engine
