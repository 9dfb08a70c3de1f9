#pragma once
// A model that is in memory, with the lanes that compute it.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "encoder/encoder.hpp"
#include "engine/embedder.hpp"
#include "engine/engine.hpp"
#include "engine/generator.hpp"
#include "engine/model_memory.hpp"

namespace jikji::engine {

/// `model` is shared with callers that tokenise; the lanes belong to the compute thread, and one of
/// the two is there.
struct LoadedModel {
    std::shared_ptr<const llama::Model> model;
    std::unique_ptr<Generator> generator;
    std::unique_ptr<Embedder> embedder;
    std::string fingerprint;  // build and file: equal where a seed gives the same text again
    int context = 0;          // tokens of one sequence
    ModelMemory memory;
    std::atomic<std::uint64_t> last_use = 0;  // as Registry counts

    bool idle() const {
        return (!generator || generator->idle()) && (!embedder || embedder->idle());
    }
};
using LoadedPtr = std::shared_ptr<LoadedModel>;

/// Before a load, of the file that load_weights() will take; milliseconds. Throws Error(kRejected).
ModelMemory memory_wanted(const ModelFile& file, const EngineOptions& options);

/// The part of a load that takes long.
struct Weights {
    std::shared_ptr<const llama::Model> model;
    std::unique_ptr<encoder::Encoder> own;  // of embedding models that it supports
    std::string fingerprint;
    ModelMemory memory;
};

/// Any thread. Panels of products are kept if they take no more than `panel_bytes_most`. Throws
/// Error(kRejected), Error(kInvalidArgument) if the memory does not suffice.
Weights load_weights(const ModelFile& file, const EngineOptions& options,
                     std::uint64_t panel_bytes_most);

/// Makes the lane, which uses `cache` as long as it lives: compute thread. Throws as
/// load_weights().
LoadedPtr make_lane(Weights weights, const EngineOptions& options, PrefixCache& cache);

}  // namespace jikji::engine
