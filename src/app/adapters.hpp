#pragma once
// Work on adapters (LoRA) for the command line: no server, no lock on the data folder. An adapter
// is named as it is installed in the models folder, or as a finished job made it: ft:…, or the
// job's id. Threads: one at a time.
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.hpp"
#include "models/store.hpp"

namespace jikji::app {

struct AdapterFolders {
    std::filesystem::path data;
    std::filesystem::path models;
    ProgressOptions progress = {};
};

/// What there is to say of an adapter.
struct AdapterCard {
    std::string name;
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    std::string base;             // its model's name
    bool base_installed = false;  // and is it here, with the weights that it was trained on?
    std::string base_trouble, base_trouble_korean;  // if not: why
    int rank = 0;
    double alpha = 0;
    std::vector<std::string> targets;  // "q_proj"
    std::optional<double> held_out_loss, base_loss;

    bool worse_than_base() const {
        return held_out_loss && base_loss && *held_out_loss > *base_loss;
    }
};

/// Nothing if there is no such adapter; `name` may be a .gguf file too. Throws Error(kRejected) if
/// its file is damaged.
std::optional<AdapterCard> adapter_card(const AdapterFolders& folders, const std::string& name);

/// Those of finished jobs, by name.
std::vector<AdapterCard> adapters_of_jobs(const AdapterFolders& folders);

enum class AdapterFormat { kPeft, kGguf };
/// "peft" or "gguf". Throws Error(kInvalidArgument, "format").
AdapterFormat adapter_format_named(std::string_view name);

/// Writes a copy of the adapter to `to`: a folder for PEFT, a file for GGUF. Throws
/// Error(kModelNotFound, "adapter") that names the nearest one, Error(kInvalidArgument, "adapter")
/// if it is a whole model, Error(kConflict, "to") if there is something already, and for PEFT as
/// models::Store::base_of() and training::export_peft().
std::filesystem::path export_adapter(const AdapterFolders& folders, const std::string& name,
                                     AdapterFormat format, const std::filesystem::path& to);

/// A PEFT folder into the models folder; `name` empty: the folder's. Throws as
/// training::import_peft(), and Error(kConflict, "name") if the name is taken.
models::InstalledModel import_adapter(const AdapterFolders& folders,
                                      const std::filesystem::path& folder, const std::string& base,
                                      const std::string& name);

/// A new model in the models folder, of the adapter and its base. `type`: see
/// training::merged_type_named(). `go_on` is asked between pieces; false stops the merge with
/// Error(kCancelled), and nothing stays behind.
models::InstalledModel merge_adapter(const AdapterFolders& folders, const std::string& adapter,
                                     const std::string& to, const std::string& type,
                                     const std::function<bool()>& go_on);

}  // namespace jikji::app
