#include "engine/gpu_load.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "engine/generator.hpp"
#include "llama/devices.hpp"

namespace jikji::engine {
namespace {

GpuShare share_of(const std::filesystem::path& file, const EngineOptions& options,
                  const ModelMemory& memory) {
    GpuShare out;
    out.layers = llama::layers_of(file);
    if (options.gpu_layers == 0 || llama::devices().empty()) return out;
    if (options.gpu_layers > 0) {
        out.on_gpu = std::min(options.gpu_layers, out.layers);
    } else {
        out.on_gpu =
            llama::fitting_layers(file, {.cells = memory.cells, .working = memory.working});
    }
    return out;
}

/// Throws Error(kRejected) if the GPU has no room for what a lane of this model would allocate.
void try_context(std::shared_ptr<const llama::Model> model, const EngineOptions& options) {
    if (model->encoder_only()) return;
    const int context = std::min(options.context, model->context_trained());
    const llama::Context probe(std::move(model),
                               Generator::context_options({.cells = cells_of(options, context),
                                                           .parallel = options.parallel,
                                                           .threads = options.threads}));
}

}  // namespace

GpuShare gpu_share(const std::filesystem::path& file, const EngineOptions& options) {
    return share_of(file, options, memory_wanted(file, /*own_encoder=*/false, options));
}

std::shared_ptr<const llama::Model> load_on_gpu(const std::filesystem::path& file,
                                                const EngineOptions& options,
                                                const ModelMemory& memory,
                                                llama::ModelOptions model) {
    std::shared_ptr<const llama::Model> out;
    GpuShare share = share_of(file, options, memory);
    share.on_gpu = llama::with_fewer_layers(share.on_gpu, [&](int layers) {
        out.reset();  // its memory, before the next one takes some
        model.gpu_layers = layers;
        out = std::make_shared<const llama::Model>(file, model);
        if (layers > 0) try_context(out, options);
    });
    if (!llama::devices().empty()) {
        log_info(fmt::format("{} is computed on {}", file.stem().string(), in_words(share)));
    }
    return out;
}

}  // namespace jikji::engine
