#include "app/model_folder.hpp"

#include <algorithm>
#include <system_error>

namespace jikji::app {
namespace {

// The small ones that the set-up fetches; whoever adds a larger one says so with --chat-model.
constexpr const char* kPreferred[] = {"smollm2-135m-instruct", "multilingual-e5-small"};

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
        if (model.adapter) continue;  // no model of its own
        engine_.add_model({.name = model.name,
                           .path = model.path,
                           .embedding = model.embedding,
                           .query_prefix = model.query_prefix,
                           .passage_prefix = model.passage_prefix});
    }
    for (const auto& old : before) {
        const bool stays = std::any_of(known_.begin(), known_.end(),
                                       [&](const auto& now) { return now.name == old.name; });
        if (!stays) engine_.remove_model(old.name);
    }
}

std::string ModelFolder::choose(const std::string& wanted, bool embedding) const {
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
