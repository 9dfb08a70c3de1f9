#pragma once
// Fine-tuning jobs: checked before anything starts, queued, computed one at a time by a process of
// their own (fine_tuning_runner.hpp), paused, resumed, cancelled, and offered to callers as
// ft:BASE:local:SUFFIX:ID as soon as they have succeeded.
//
// States   OpenAI's: queued, running, succeeded, failed, cancelled. A paused job keeps its status
//          and says so (FineTuningJob::paused).
// Restart  the queue is the database: what was queued or running there goes on.
// Threads  any but the IO thread.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/files.hpp"
#include "storage/fine_tuning_events_table.hpp"
#include "storage/fine_tuning_jobs_table.hpp"

namespace jikji::engine {
class Engine;
}

namespace jikji::service {

inline constexpr double kBaseLearningRate = 3e-4;  // what a learning_rate_multiplier multiplies

/// Ranges that a request must keep to; http::Fields says field, value and limit.
namespace fine_tuning_limits {
inline constexpr int kEpochs = 100;
inline constexpr int kBatchSize = 1024;
inline constexpr double kLearningRateMin = 1e-9, kLearningRateMax = 1;
inline constexpr int kWarmupSteps = 1'000'000;
inline constexpr int kRank = 256;
inline constexpr double kAlphaMin = 1e-3, kAlphaMax = 10'000;
inline constexpr double kDropoutMax = 0.9;
inline constexpr double kHeldOutMax = 0.5;
inline constexpr int kLengthMin = 8, kLengthMax = 131'072;  // tokens of a sample
inline constexpr std::int64_t kSeedMax = 2'147'483'647;     // as OpenAI has it
inline constexpr std::size_t kSuffixCharacters = 64;
}  // namespace fine_tuning_limits

struct FineTuningRequest {
    std::string model;  // the base
    std::string training_file;
    std::string validation_file;  // empty = a share of training_file is held out
    std::string suffix;
    std::int64_t seed = 42;
    std::map<std::string, std::string> metadata;

    int epochs = 3;
    int batch_size = 4;
    double learning_rate = kBaseLearningRate;
    std::optional<int> warmup_steps;  // else chosen by the number of steps
    int rank = 8;
    double alpha = 16;
    double dropout = 0.05;
    std::vector<std::string> targets{"q_proj", "v_proj"};
    double held_out = 0.1;  // share of the samples
    std::string template_name = "auto";
    int max_length = 0;  // tokens of a sample; 0 = as the base allows

    std::string path = "hyperparameters";  // of these in the request, for messages
    bool repeated = false;  // the client asks again, as it had no answer: not a second job
};

using FineTuningJob = storage::FineTuningJobRow;
using FineTuningEvent = storage::FineTuningEventRow;
using FineTuningCheckpoint = storage::FineTuningCheckpointRow;

struct FineTuningOptions {
    std::filesystem::path folder;   // data/training: a folder for each job
    std::filesystem::path models;   // the models folder
    std::filesystem::path program;  // our executable; it is run as PROGRAM train-job FOLDER
    int threads = 0;                // of that process; 0 = physical cores
    /// Go on at once with what an earlier run has left. Else only from the first create() or
    /// resume() on: a command that starts a server of its own for a moment must not train.
    bool go_on = true;
};

class FineTuning {
public:
    /// Offers the models of earlier jobs to the engine. All must outlive it.
    FineTuning(storage::Database& database, Files& files, engine::Engine& engine,
               FineTuningOptions options);
    ~FineTuning();  // a job that computes writes a checkpoint first, and goes on the next time

    /// Checks everything that can be known without computing; seconds for much data. Throws
    /// Error(kModelNotFound), Error(kUnsupported, "model") for what cannot be trained,
    /// Error(kNotFound) for a file, Error(kInvalidArgument) that names the field, or of data the
    /// file, line and field.
    FineTuningJob create(const FineTuningRequest& request);
    FineTuningJob get(const std::string& id) const;  // Error(kNotFound)
    Listed<FineTuningJob> list(const Page& page,
                               const std::map<std::string, std::string>& metadata) const;

    /// Drops everything that the job has: data, checkpoints, adapter. Of one that has failed: what
    /// it could be resumed from; it stays failed. Of one that has ended otherwise: nothing.
    FineTuningJob cancel(const std::string& id);
    /// Error(kInvalidArgument) for a job that has ended.
    FineTuningJob pause(const std::string& id);
    /// Also of a job that has failed: from its last checkpoint. Error(kInvalidArgument) for one
    /// that has succeeded or was cancelled, and one that has failed for good: its data or values
    /// are wrong, it diverged, or cancel() dropped what it could go on from.
    FineTuningJob resume(const std::string& id);

    Listed<FineTuningEvent> events(const std::string& id, const Page& page) const;
    Listed<FineTuningCheckpoint> checkpoints(const std::string& id, const Page& page) const;
    /// Grows with every event: cheap to look at; any thread, the IO thread too.
    std::uint64_t changes() const;

    /// The server is being stopped: a job that computes writes its checkpoint meanwhile. Any
    /// thread, the IO thread too; does not wait.
    void stop();
    bool stopping() const;  // likewise

    /// Takes a fine-tuned model out of the engine and off the disk; its job stays. Doing it twice
    /// is fine. Error(kModelNotFound) if no job made it.
    void remove_model(const std::string& name);
    /// Looks again at the bases of all models: one that came is offered, one whose base has changed
    /// is refused. Cheap while nothing has changed.
    void refresh();
    /// The jobs whose models were made and not removed.
    std::vector<FineTuningJob> with_models() const;
    /// data/training/ID
    std::filesystem::path folder_of(const std::string& id) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

/// The model that a job makes: ft:BASE:local:SUFFIX:ID, with the last 8 letters of the job's id,
/// which also stand in for a suffix.
std::string fine_tuned_name(const FineTuningJob& job);
bool has_ended(const FineTuningJob& job);
/// Why a model that was made is better not used; empty if there is no reason.
std::string warning_of(const FineTuningJob& job, bool korean);

}  // namespace jikji::service
