#pragma once
// One training job as a folder: what to do (job.json), and everything that comes of it. The server
// writes job.json and starts `jikji train-job FOLDER`, which calls run_job() and says on standard
// output what happens (job_events.hpp).
//
// job.json   one object; only "base" and "data" are needed, the rest has the defaults below:
//   {"adapter": "ft:…", "base": {"name", "path", "sha256"}, "data": {"path", "name"},
//    "validation": {"path", "name"} or null, "held_out_share", "template": "auto|model|alpaca",
//    "epochs", "batch_size", "learning_rate", "warmup_steps" (null: chosen), "weight_decay",
//    "clip_norm", "rank", "alpha", "dropout", "targets": ["q_proj", …], "seed", "shuffle",
//    "sample_tokens_most", "pack_tokens", "precision": "auto|f32|bf16", "threads", "memory_mb",
//    "checkpoint_seconds", "checkpoint_steps", "evaluate_steps", "initial_values": path,
//    "write_samples"}
//   Paths are absolute, or relative to the folder.
// Folder     job.json, lock, ckpt-<step>.gguf (the newest two), adapter.gguf, metrics.csv
//            (step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy), loss.svg.
// Threads    any; one process works in a folder at a time.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "training/dataset.hpp"
#include "training/job_events.hpp"
#include "training/trainer.hpp"

namespace jikji::training {

struct DataFile {
    std::filesystem::path path;
    std::string name;  // as people know it
};

enum class JobPrecision { kAuto, kF32, kBf16 };  // kAuto: what the CPU multiplies fastest

struct JobSpec {
    std::string adapter_name;  // ft:smollm2-135m-instruct:local:mine:ab12
    std::string base_name;
    std::filesystem::path base;
    std::string base_sha256;  // of the file at the time of asking; empty = do not compare
    DataFile data;
    std::optional<DataFile> validation;  // else held out of `data`
    double held_out_share = 0.1;         // 0 to 0.5; no more than 100 samples are held out
    TemplateChoice choice = TemplateChoice::kAuto;
    TrainOptions train;
    /// Not given: 100, or a tenth of the steps if these are fewer than 200.
    std::optional<int> warmup_steps;
    int sample_tokens_most = 1024;  // longer ones are left out and counted; 8 to the context
    JobPrecision precision = JobPrecision::kAuto;
    int threads = 0;              // 0 = physical cores
    std::uint64_t memory_mb = 0;  // for weights and activations, MiB; 0 = half of what is free
    std::filesystem::path initial_values;  // raw float32, as Lora::values(); for comparisons
    bool write_samples = false;            // samples.jsonl: tokens and which are learnt
};

/// Durable. Throws as write_file_durably, and Error(kInvalidArgument) as check().
void write_job(const std::filesystem::path& folder, const JobSpec& spec);
/// Throws Error(kInvalidArgument) that names the field, Error(kNotFound).
JobSpec read_job(const std::filesystem::path& folder);
/// Throws Error(kInvalidArgument) that names field, value and limit: what can be known without the
/// data and the base.
void check(const JobSpec& spec);

enum class JobEnd { kDone, kStopped };

/// Works, or goes on where it was stopped, until the end or until `stop` is set; then a checkpoint
/// is written first. A job that is done says so again. `say` gets every event, in this thread.
/// Throws Error: everything that read_job(), read_records(), BaseModel and Trainer throw, and
/// kConflict if the base's file is not the one of the spec, or another process works in the folder.
JobEnd run_job(const std::filesystem::path& folder,
               const std::function<void(const JobEvent& event)>& say,
               const std::atomic<bool>& stop);

/// What a server can tell without computing: does the data fit, how many samples, steps and tokens.
/// Seconds for a large base. Throws as run_job().
PreparedEvent inspect_job(const JobSpec& spec);

}  // namespace jikji::training
