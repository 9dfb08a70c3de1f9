#pragma once
// From a job's wishes to what a trainer takes: data read, tokenised and split, options filled in.
// Private to this folder. Threads: any.
#include "training/base_model.hpp"
#include "training/job.hpp"

namespace jikji::training {

struct PreparedJob {
    std::unique_ptr<BaseModel> base;
    Split data;
    TrainOptions train;
    PassOptions pass;
    PreparedEvent said;  // all but steps_done and seconds_estimate
};

/// Throws as run_job(); does not compare the base's hash.
PreparedJob prepare(const JobSpec& spec);

/// Throws Error(kConflict, "base") if the file is not the one of the spec. The file's SHA-256.
std::string checked_hash(const JobSpec& spec);

}  // namespace jikji::training
