#pragma once
// Keeps the engine's list of models, adapters among them, equal to the models folder, which `jikji
// models` may change while the server runs.
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "models/store.hpp"

namespace jikji::app {

class ModelFolder {
public:
    ModelFolder(std::filesystem::path folder, engine::Engine& engine);

    /// Looks again; does nothing if the folder has not changed since.
    void refresh();

    /// `wanted`, or if that is empty the first of the catalogue's preference that is installed, or
    /// any. Empty if there is none of the kind. Throws Error(kModelNotFound) for a wish that is not
    /// installed. Of a fine-tuned model (ft:…), which lies elsewhere, it is said on first use.
    std::string choose(const std::string& wanted, bool embedding) const;

    /// The published file; nothing for an adapter, which has weights of its base.
    std::optional<std::filesystem::path> file_of(const std::string& name) const;

private:
    void offer(const models::InstalledModel& model);
    models::InstalledModel base_of(const models::InstalledModel& adapter);
    bool offer_adapter(const models::InstalledModel& adapter);

    models::Store store_;
    engine::Engine& engine_;
    std::vector<models::InstalledModel> known_;
    std::filesystem::file_time_type seen_{};
    std::map<std::string, std::string> sound_;  // adapters that fit, with what they were then
};

}  // namespace jikji::app
