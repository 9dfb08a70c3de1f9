#include "engine/loaded_model.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/weights_cache.hpp"

namespace jikji::engine {
namespace {

/// Build and file: what has to be equal for a seed to give the same text again.
std::string fingerprint_of(const std::filesystem::path& file) {
    const MappedFile mapped(file);
    const std::string_view bytes = mapped.bytes();
    Sha256 digest;
    digest.update(models::kBuild);
    digest.update(std::to_string(bytes.size()));
    digest.update(bytes.substr(0, 1 << 20));
    digest.update(bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 1 << 16)));
    return "fp_" + digest.finish_hex().substr(0, 12);
}

// What else a kept state depends on: the types of K and V. RoPE is as the model's file says.
// Whoever makes one of them, an adapter, or another form of the weights an option writes it in
// here.
constexpr const char* kStateLayout = " kv f16";

/// The published file, or the copy of it that was measured to be faster here.
std::filesystem::path weights_of(const ModelFile& file, const EngineOptions& options) {
    if (options.weights_cache.empty() || file.embedding) return file.path;
    return models::WeightsCache(options.weights_cache).file_for(file.path);
}

}  // namespace

ModelMemory memory_wanted(const ModelFile& file, const EngineOptions& options) {
    const bool own = encoder::Encoder::supports(file.path);
    if (options.weights_cache.empty() || file.embedding) {
        return memory_wanted(file.path, own, options);
    }
    // As weights_of(), without the digest of the whole copy: that takes too long between two steps.
    const models::WeightsCache cache(options.weights_cache);
    const auto choice = cache.find(file.path);
    if (!choice || choice->layout == models::kAsPublished) {
        return memory_wanted(file.path, own, options);
    }
    const std::filesystem::path copy = cache.copy_of(file.path, choice->layout);
    try {
        return memory_wanted(copy, own, options);
    } catch (const Error&) {  // gone or damaged: load_weights() will take the published file
        return memory_wanted(file.path, own, options);
    }
}

Weights load_weights(const ModelFile& file, const EngineOptions& options,
                     std::uint64_t panel_bytes_most) {
    Weights out;
    const bool own = encoder::Encoder::supports(file.path);
    const std::filesystem::path weights = weights_of(file, options);
    out.memory = memory_wanted(weights, own, options);
    out.model = std::make_shared<const llama::Model>(
        weights, llama::ModelOptions{.gpu_layers = options.gpu_layers,
                                     .vocab_only = own,
                                     .panel_bytes_most = panel_bytes_most});
    if (own) {
        out.own = std::make_unique<encoder::Encoder>(file.path);
        out.memory.copied = out.own->bytes();
    } else {
        const std::uint64_t copied = std::min(out.model->copied_bytes(), out.memory.mapped);
        out.memory.mapped -= copied;
        out.memory.copied = copied + out.model->panel_bytes();
    }
    out.fingerprint = fingerprint_of(weights);
    return out;
}

LoadedPtr make_lane(Weights weights, const EngineOptions& options, PrefixCache& cache) {
    auto loaded = std::make_shared<LoadedModel>();
    loaded->model = std::move(weights.model);
    loaded->fingerprint = std::move(weights.fingerprint);
    loaded->memory = weights.memory;
    if (loaded->model->encoder_only()) {
        loaded->context = Embedder::context_of(*loaded->model);
        loaded->embedder = std::make_unique<Embedder>(
            loaded->model, std::move(weights.own),
            EmbedderOptions{.threads = options.threads, .cache_bytes = options.embedding_cache});
        return loaded;
    }
    loaded->context = std::min(options.context, loaded->model->context_trained());
    GeneratorOptions lane;
    lane.context = loaded->context;
    lane.cells = cells_of(options, loaded->context);
    lane.parallel = options.parallel;
    lane.threads = options.threads;
    lane.gap_seconds = options.gap_seconds;
    lane.speculation = options.speculation;
    lane.layout = loaded->fingerprint + kStateLayout;
    loaded->generator = std::make_unique<Generator>(loaded->model, lane, cache);
    return loaded;
}

}  // namespace jikji::engine
