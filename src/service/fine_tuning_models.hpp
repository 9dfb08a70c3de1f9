#pragma once
// The models that jobs have made: offered to the engine if the base's file is still the one that
// they were trained on. Threads: any.
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

#include "engine/engine.hpp"
#include "models/store.hpp"
#include "service/fine_tuning.hpp"

namespace jikji::service {

/// A file as cheaply as it can be told from another one, and its digest.
struct BaseFile {
    std::filesystem::path path;
    std::string sha256;
    std::int64_t bytes = 0;
    std::int64_t changed_ns = 0;  // by the file system's clock
};

class FineTunedModels {
public:
    FineTunedModels(engine::Engine& engine, const FineTuningOptions& options)
        : engine_(engine), store_(options.models), folder_(options.folder) {}

    /// The base of that name, read whole if it has not been before. Throws Error(kModelNotFound).
    BaseFile base(const std::string& name);
    /// Throws Error(kConflict, "model") if the base is not what the job began with.
    void require_same_base(const FineTuningJob& job);

    /// Makes the job's model known to the engine: to be loaded, or, if the base is another one by
    /// now, to be refused with that reason. Does nothing if the base's file has not changed since
    /// the last time. Throws Error(kModelNotFound) if the base is not here, Error(kNotFound) if
    /// the adapter's file is gone.
    void offer(const FineTuningJob& job);
    void withdraw(const FineTuningJob& job);  // and removes its file

private:
    struct Offered {
        BaseFile base;  // when it was looked at; without a digest
        bool refused = false;
    };
    std::filesystem::path adapter_of(const FineTuningJob& job) const;

    engine::Engine& engine_;
    models::Store store_;
    std::filesystem::path folder_;
    mutable std::mutex mutex_;
    std::map<std::string, BaseFile> known_;   // by path: what was read whole
    std::map<std::string, Offered> offered_;  // by job
};

}  // namespace jikji::service
