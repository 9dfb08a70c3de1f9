#pragma once
// The models that jobs have made: offered to the engine if the base's file is still the one that
// they were trained on. Threads: any.
#include <atomic>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "engine/engine.hpp"
#include "models/store.hpp"
#include "service/fine_tuning.hpp"

namespace jikji::service {

/// What tells a file from another one without reading it.
struct FileLook {
    std::int64_t bytes = -1;      // -1: there is none
    std::int64_t changed_ns = 0;  // by the file system's clock
    bool operator==(const FileLook&) const = default;
};

/// A base's file, read whole.
struct BaseFile {
    std::filesystem::path path;
    std::string sha256;
    std::int64_t bytes = 0;
    std::int64_t changed_ns = 0;
};

class FineTunedModels {
public:
    FineTunedModels(engine::Engine& engine, const FineTuningOptions& options)
        : engine_(engine), store_(options.models), folder_(options.folder) {}

    /// The base of that name, read whole if it has not been before. Throws Error(kModelNotFound),
    /// Error(kStopping) after stop().
    BaseFile base(const std::string& name);
    /// Throws Error(kConflict, "model") if the base is not what the job began with.
    void require_same_base(const FineTuningJob& job);

    /// Makes the job's model known to the engine: to be loaded, or, if the base is another one by
    /// now, to be refused with that reason. As long as neither the base's file nor the adapter's
    /// has changed, it costs two stats, and comes to the same end. Does nothing after withdraw().
    /// Throws Error(kModelNotFound) if the base is not here, Error(kNotFound) if the adapter's file
    /// is gone, Error(kStopping) after stop().
    void offer(const FineTuningJob& job);
    void withdraw(const FineTuningJob& job);  // for ever, and removes its file
    /// No file is read any more: one of 5 GB would hold up the server's end. Does not wait.
    void stop() { stopping_ = true; }

private:
    struct Offered {
        FileLook base, adapter;  // when they were looked at
        bool refused = false;
        std::exception_ptr trouble;  // why it is not offered at all
    };
    std::filesystem::path adapter_of(const FineTuningJob& job) const;
    std::filesystem::path file_of(const std::string& base) const;
    std::string digest_of(const std::filesystem::path& path) const;
    void offer_anew(const FineTuningJob& job, Offered& now);

    engine::Engine& engine_;
    models::Store store_;
    std::filesystem::path folder_;
    std::atomic<bool> stopping_{false};
    mutable std::mutex mutex_;
    std::map<std::string, BaseFile> known_;   // by path: what was read whole
    std::map<std::string, Offered> offered_;  // by job
    std::set<std::string> withdrawn_;         // jobs: a refresh may still be at work on one
};

}  // namespace jikji::service
