#include "engine/loaded_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "engine/adapter_check.hpp"
#include "engine/gpu_load.hpp"
#include "models/file_identity.hpp"
#include "models/weights_cache.hpp"

namespace jikji::engine {
namespace {

/// Build and file: where they are equal, a seed gives the same text again, and states that were
/// kept of earlier texts hold.
std::string fingerprint_of(const std::filesystem::path& file) {
    const std::string both = std::string(models::kBuild) + "\n" + models::file_identity(file);
    return "fp_" + sha256_hex(both).substr(0, 24);
}

// What else a kept state depends on: the types of K and V. RoPE is as the model's file says; an
// adapter stands in the layout, too (make_lane). Whoever makes one of them or another form of the
// weights an option writes it in here.
constexpr const char* kStateLayout = " kv f16";

/// The published file, or the copy of it that was measured to be faster here.
std::filesystem::path weights_of(const ModelFile& file, const EngineOptions& options) {
    if (options.weights_cache.empty() || file.embedding) return file.path;
    return models::WeightsCache(options.weights_cache).file_for(file.path);
}

/// An adapter's lane is one of several on the same weights, and so a smaller one.
EngineOptions lane_options(bool adapter, EngineOptions options) {
    if (!adapter) return options;
    options.parallel = std::min(options.parallel, options.adapter_parallel);
    options.cells =
        std::max(options.adapter_cells, 1);  // cells_of() gives a whole context at least
    return options;
}

/// As weights_of(), without the digest of the whole copy: that takes too long between two steps.
ModelMemory memory_of(const ModelFile& base, const EngineOptions& options) {
    const bool own = encoder::Encoder::supports(base.path);
    if (options.weights_cache.empty() || base.embedding) {
        return memory_wanted(base.path, own, options);
    }
    const models::WeightsCache cache(options.weights_cache);
    const auto choice = cache.find(base.path);
    if (!choice || choice->layout == models::kAsPublished) {
        return memory_wanted(base.path, own, options);
    }
    const std::filesystem::path copy = cache.copy_of(base.path, choice->layout);
    try {
        return memory_wanted(copy, own, options);
    } catch (const Error&) {  // gone or damaged: prepare() will take the published file
        return memory_wanted(base.path, own, options);
    }
}

std::uint64_t size_of(const std::filesystem::path& file) {
    std::error_code missing;
    const std::uint64_t size = file.empty() ? 0 : std::filesystem::file_size(file, missing);
    return missing ? 0 : size;  // prepare() says it
}

WeightsPtr load_weights(const ModelFile& base, std::unique_ptr<encoder::Encoder>& own,
                        const EngineOptions& options, std::uint64_t panel_bytes_most) {
    auto out = std::make_shared<Weights>();
    out->file = weights_key(base.path);
    const bool encodes = encoder::Encoder::supports(base.path);
    const std::filesystem::path weights = weights_of(base, options);
    out->memory = memory_wanted(weights, encodes, options);
    const llama::ModelOptions how{
        .gpu_layers = 0, .vocab_only = encodes, .panel_bytes_most = panel_bytes_most};
    out->model = encodes ? std::make_shared<const llama::Model>(weights, how)
                         : load_on_gpu(weights, options, out->memory, how);
    out->memory.cells = out->memory.working = 0;
    if (encodes) {
        own = std::make_unique<encoder::Encoder>(base.path);
        out->memory.copied = own->bytes();
    } else {
        const std::uint64_t copied = std::min(out->model->copied_bytes(), out->memory.mapped);
        out->memory.mapped -= copied;
        out->memory.copied = copied + out->model->panel_bytes();
    }
    out->fingerprint = fingerprint_of(weights);
    return out;
}

}  // namespace

std::string weights_key(const std::filesystem::path& file) {
    std::error_code missing;
    const auto written = std::filesystem::last_write_time(file, missing);
    return fmt::format("{} {} {}", file.string(), size_of(file),
                       written.time_since_epoch().count());
}

LaneNeed memory_wanted(const ModelFile& file, const ModelFile& base, const EngineOptions& options) {
    const ModelMemory memory = memory_of(base, lane_options(!file.adapter.empty(), options));
    return {weights_key(base.path), memory.mapped + memory.copied,
            memory.cells + memory.working + size_of(file.adapter)};
}

Prepared prepare(const ModelFile& file, const ModelFile& base, WeightsPtr shared,
                 const EngineOptions& options, std::uint64_t panel_bytes_most) {
    const bool adapts = !file.adapter.empty();
    Prepared out;
    out.adapter = file.adapter;
    if (adapts) out.adapter_sha256 = check_adapter(file.adapter, base.path);
    out.memory = memory_of(base, lane_options(adapts, options));
    out.memory.mapped = 0;
    out.memory.copied = size_of(file.adapter);
    out.weights =
        shared ? std::move(shared) : load_weights(base, out.own, options, panel_bytes_most);
    if (adapts && out.weights->model->encoder_only()) {
        throw Error(ErrorCode::kRejected,
                    fmt::format("{} makes vectors; no adapter can be served beside it", base.name),
                    "model",
                    fmt::format("{}은(는) 임베딩 모델이라 어댑터를 쓸 수 없습니다.", base.name));
    }
    return out;
}

LoadedPtr make_lane(Prepared prepared, const EngineOptions& options, PrefixCache& cache) {
    auto loaded = std::make_shared<LoadedModel>();
    const std::string base = prepared.weights->fingerprint;
    const std::string& adapter = prepared.adapter_sha256;
    loaded->weights = std::move(prepared.weights);
    loaded->model = loaded->weights->model;
    loaded->memory = prepared.memory;
    loaded->fingerprint = adapter.empty() ? base : "fp_" + sha256_hex(base + adapter).substr(0, 24);
    if (loaded->model->encoder_only()) {
        loaded->context = Embedder::context_of(*loaded->model);
        loaded->embedder = std::make_unique<Embedder>(
            loaded->model, std::move(prepared.own),
            EmbedderOptions{.threads = options.threads, .cache_bytes = options.embedding_cache});
        return loaded;
    }
    const EngineOptions own = lane_options(!adapter.empty(), options);
    loaded->context = std::min(options.context, loaded->model->context_trained());
    GeneratorOptions lane;
    lane.context = loaded->context;
    lane.cells = cells_of(own, loaded->context);
    lane.parallel = own.parallel;
    lane.threads = options.threads;
    lane.gap_seconds = options.gap_seconds;
    lane.speculation = options.speculation;
    lane.adapter = std::move(prepared.adapter);
    lane.layout = base + (adapter.empty() ? "" : " lora " + adapter) + kStateLayout;
    loaded->generator = std::make_unique<Generator>(loaded->model, lane, cache);
    return loaded;
}

}  // namespace jikji::engine
