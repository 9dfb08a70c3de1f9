#pragma once
// Loads a model with as many layers on the GPUs as fit beside its keys and values; where the
// arithmetic was wrong, because others use the GPU as well, with fewer.
// Threads: any, one after another.
#include <memory>

#include "engine/engine.hpp"
#include "engine/model_memory.hpp"
#include "llama/model.hpp"

namespace jikji::engine {

/// `memory`: of that model, with its cells. A lane's context is made on the GPU and taken down
/// again, so that its room is there when the lane is made. Throws as llama::Model.
std::shared_ptr<const llama::Model> load_on_gpu(const std::filesystem::path& file,
                                                const EngineOptions& options,
                                                const ModelMemory& memory,
                                                llama::ModelOptions model);

}  // namespace jikji::engine
