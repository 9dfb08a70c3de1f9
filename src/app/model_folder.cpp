#include "app/model_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/log.hpp"

namespace jikji::app {
namespace {

// The small ones that the set-up fetches; whoever adds a larger one says so with --chat-model.
constexpr const char* kPreferred[] = {"smollm2-135m-instruct", "multilingual-e5-small"};

std::string state_of(const models::InstalledModel& model) {
    std::error_code missing;
    const auto written = std::filesystem::last_write_time(model.path, missing);
    return fmt::format("{} {} {};", model.path.string(), model.bytes,
                       written.time_since_epoch().count());
}

}  // namespace

ModelFolder::ModelFolder(std::filesystem::path folder, engine::Engine& engine)
    : store_(std::move(folder)), engine_(engine) {
    refresh();
}

void ModelFolder::refresh() {
    std::error_code missing;
    const auto changed = std::filesystem::last_write_time(store_.folder(), missing);
    if (missing || changed == seen_) return;
    seen_ = changed;
    const std::vector<models::InstalledModel> before = std::exchange(known_, store_.list());
    for (const auto& model : known_) {
        if (!model.adapter) offer(model);
    }
    for (const auto& model : known_) {
        if (model.adapter && !offer_adapter(model)) engine_.remove_model(model.name);
    }
    for (const auto& old : before) {
        const bool stays = std::any_of(known_.begin(), known_.end(),
                                       [&](const auto& now) { return now.name == old.name; });
        if (!stays) engine_.remove_model(old.name);
    }
}

void ModelFolder::offer(const models::InstalledModel& model) {
    engine_.add_model({.name = model.name,
                       .path = model.path,
                       .embedding = model.embedding,
                       .query_prefix = model.query_prefix,
                       .passage_prefix = model.passage_prefix});
}

// Whether an adapter fits takes a look at all bytes of its base: once for each of its files.
models::InstalledModel ModelFolder::base_of(const models::InstalledModel& adapter) {
    std::string& sound = sound_[adapter.name];
    const auto named = std::ranges::find(known_, adapter.base, &models::InstalledModel::name);
    if (named != known_.end() && sound == state_of(adapter) + state_of(*named)) return *named;
    const models::InstalledModel base = store_.base_of(adapter, adapter.base);
    sound = state_of(adapter) + state_of(base);
    return base;
}

// One that was dropped in by hand, or whose base is gone, must not keep the others from serving.
bool ModelFolder::offer_adapter(const models::InstalledModel& adapter) {
    try {
        const models::InstalledModel base = base_of(adapter);
        engine_.add_model({.name = adapter.name, .adapter = adapter.path, .base = base.name});
        return true;
    } catch (const std::exception& cause) {
        log_warn(fmt::format("{} is not offered: {}", adapter.name, cause.what()));
        return false;
    }
}

std::optional<std::filesystem::path> ModelFolder::file_of(const std::string& name) const {
    if (!store_.has(name)) return std::nullopt;
    const models::InstalledModel model = store_.find(name);
    return model.adapter ? std::nullopt : std::optional(model.path);
}

std::string ModelFolder::choose(const std::string& wanted, bool embedding) const {
    if (wanted.starts_with("ft:")) return wanted;
    if (!wanted.empty()) return store_.find(wanted).name;
    std::string any;
    for (const auto& model : known_) {
        if (model.embedding != embedding || model.adapter) continue;
        for (const char* name : kPreferred) {
            if (model.name == name) return model.name;
        }
        if (any.empty()) any = model.name;
    }
    return any;
}

}  // namespace jikji::app
