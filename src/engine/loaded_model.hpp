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

/// What the lanes of a base and of its adapters have in common; gone with the last of them.
struct Weights {
    std::shared_ptr<const llama::Model> model;
    std::string file;         // as weights_key() says it; adapters of that file may share
    std::string fingerprint;  // build and file: equal where a seed gives the same text again
    ModelMemory memory;       // of the weights alone
};
using WeightsPtr = std::shared_ptr<const Weights>;

/// `model` is shared with callers that tokenise; the lanes belong to the compute thread, and one of
/// the two is there.
struct LoadedModel {
    std::shared_ptr<const llama::Model> model;  // of `weights`
    WeightsPtr weights;
    std::unique_ptr<Generator> generator;
    std::unique_ptr<Embedder> embedder;
    std::string fingerprint;                  // of the weights, and of the adapter if it is one
    int context = 0;                          // tokens of one sequence
    ModelMemory memory;                       // of the lane alone
    std::atomic<std::uint64_t> last_use = 0;  // as Registry counts

    bool idle() const {
        return (!generator || generator->idle()) && (!embedder || embedder->idle());
    }
};
using LoadedPtr = std::shared_ptr<LoadedModel>;

/// What a lane needs of the machine: before a load.
struct LaneNeed {
    std::string file;           // weights_key()
    std::uint64_t weights = 0;  // bytes, if they are not in memory yet
    std::uint64_t own = 0;      // bytes
};

/// One file with weights from another: path, size and time, so that a file that was replaced is
/// another one.
std::string weights_key(const std::filesystem::path& file);

/// Before a load, of the file that load() will take; milliseconds. `base`: the model whose weights
/// it uses; of a model that is no adapter, itself. Throws Error(kRejected).
LaneNeed memory_wanted(const ModelFile& file, const ModelFile& base, const EngineOptions& options);

/// All that make_lane() needs: the part of a load that takes long.
struct Prepared {
    WeightsPtr weights;
    std::unique_ptr<encoder::Encoder> own;  // of embedding models that it supports
    std::filesystem::path adapter;          // empty if it is none
    std::string adapter_sha256;
    ModelMemory memory;  // of the lane
};

/// Any thread. Uses `shared` if it is given. Panels of products are kept if they take no more than
/// `panel_bytes_most`. Throws Error(kRejected), also for an adapter that does not fit its base,
/// Error(kInvalidArgument) if the memory does not suffice.
Prepared prepare(const ModelFile& file, const ModelFile& base, WeightsPtr shared,
                 const EngineOptions& options, std::uint64_t panel_bytes_most);

/// Makes the lane, which uses `cache` as long as it lives: compute thread. Throws as prepare().
LoadedPtr make_lane(Prepared prepared, const EngineOptions& options, PrefixCache& cache);

}  // namespace jikji::engine
