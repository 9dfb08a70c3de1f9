#pragma once
// The models folder: NAME.gguf, and beside it NAME.json that says where it came from.
// Threads: any for reading; one writer at a time.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.hpp"

namespace jikji::models {

/// One model that can be loaded, or an adapter of one.
struct InstalledModel {
    std::string name;            // as clients say it
    std::filesystem::path path;  // the GGUF file
    bool embedding = false;      // makes vectors, not text
    std::string query_prefix;    // put before a question ("query: "), may be empty
    std::string passage_prefix;  // put before a passage of a document
    bool adapter = false;        // a LoRA adapter: used together with the model `base`
    std::string base;            // an adapter's model, by its name here; empty if not known
    std::string base_sha256;     // of the file that it was trained on; empty if not known
    std::uint64_t bytes = 0;     // of the file
    std::string license;         // "Apache-2.0"; empty if not known
    std::string source;          // "catalogue", "file:/…", "folder:/…"
    std::string sha256;          // of the file; empty if it was only linked or dropped in by hand
    std::string added_at;        // 2026-11-24T10:00:00Z; empty if dropped in by hand
    /// An adapter that lost on what was held out, by its own file.
    bool worse_than_base = false;
};

class Store {
public:
    /// The folder is made when something is first added. `progress` is copied for each long job.
    explicit Store(std::filesystem::path folder, ProgressOptions progress = {});

    /// By name. A file that is not a model is left out, and said in the log.
    std::vector<InstalledModel> list() const;

    /// Throws Error(kModelNotFound) that names the nearest installed name, or the pull command.
    InstalledModel find(std::string_view name) const;
    bool has(std::string_view name) const;

    struct AddOptions {
        std::string name;         // empty: from the file's or the folder's name
        bool link = false;        // a symbolic link instead of a copy
        std::string base;         // of an adapter; empty: the model that the file names
        bool move = false;        // the file is ours, in work_folder(): it is moved, not copied
        std::string source = {};  // empty: the file
    };
    /// Checks a GGUF file and takes it in. Throws Error(kRejected) if it is not a sound GGUF file,
    /// Error(kConflict) if the name is taken. An adapter is held against its base: Error(kRejected)
    /// if it does not fit, Error(kConflict, "base") if the base is not here or is another file than
    /// the one that it was trained on.
    InstalledModel add(const std::filesystem::path& file, const AddOptions& options);

    /// Converts a Hugging Face folder. Throws as add(), and Error(kUnsupported).
    InstalledModel import(const std::filesystem::path& folder, const AddOptions& options);

    /// Fetches a model of the catalogue, unless it is here. Throws Error(kModelNotFound),
    /// Error(kRejected) if what came is not what the catalogue promises, Error(kDiskFull),
    /// Error(kInternal) if the network fails; what has come so far is kept for the next try.
    InstalledModel pull(std::string_view name);

    /// The installed model that an adapter is of: `base` if given, else the one with that sha256,
    /// else the one with that name. Throws as add().
    InstalledModel base_of(const InstalledModel& adapter, const std::string& base) const;

    /// Removes a model's files, and returns them. Throws as find(), and Error(kConflict) that names
    /// the adapters which need it.
    std::vector<std::filesystem::path> remove(std::string_view name);

    const std::filesystem::path& folder() const { return folder_; }
    /// In the models folder, for files that are being made; it is made if it is not there.
    std::filesystem::path work_folder() const;
    /// Throws Error(kConflict, "name") if there is such a model or adapter.
    void refuse_taken(std::string_view name) const;

private:
    InstalledModel record(const InstalledModel& model) const;  // writes the sidecar
    std::filesystem::path path_of(std::string_view name) const;
    void refuse_needed(std::string_view name) const;

    /// Of the file as it lies there; read whole once, until its size or time changes.
    std::string digest_of(const std::filesystem::path& file) const;

    struct Digests;
    std::filesystem::path folder_;
    ProgressOptions progress_;
    std::shared_ptr<Digests> digests_;
};

/// The name that a file or folder gives: its own, in lower case, '-' for what names may not hold.
/// Throws Error(kInvalidArgument, "name") that asks for --name if nothing is left of it.
std::string name_from(const std::filesystem::path& path);

/// Throws Error(kInvalidArgument) unless it is 1 to 100 letters, digits, '.', '_' and '-', and
/// starts with a letter or digit.
void check_model_name(std::string_view name);

}  // namespace jikji::models
