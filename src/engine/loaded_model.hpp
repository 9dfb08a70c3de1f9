#pragma once
// A model that is in memory, with the lanes that compute it.
#include <memory>
#include <string>

#include "engine/embedder.hpp"
#include "engine/engine.hpp"
#include "engine/generator.hpp"

namespace jikji::engine {

/// `model` is shared with callers that tokenise; the lanes belong to the compute thread, and one of
/// the two is there.
struct LoadedModel {
    std::shared_ptr<const llama::Model> model;
    std::unique_ptr<Generator> generator;
    std::unique_ptr<Embedder> embedder;
    std::string fingerprint;  // build and file: equal where a seed gives the same text again
    int context = 0;          // tokens of one sequence

    bool idle() const {
        return (!generator || generator->idle()) && (!embedder || embedder->idle());
    }
};

/// Loads weights and makes the lane, which uses `cache` as long as it lives. Throws
/// Error(kRejected).
std::shared_ptr<LoadedModel> load_model(const ModelFile& file, const EngineOptions& options,
                                        PrefixCache& cache);

}  // namespace jikji::engine
