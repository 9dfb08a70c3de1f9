#pragma once
// A whole run: epochs over shuffled samples, optimiser steps, held-out loss, checkpoints, resuming.
// The same seed, data and options give bit-equal values at the same number of threads, with and
// without stops in between.
// Threads: one caller; `stop` may be set from any.
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "training/dataset.hpp"
#include "training/lora.hpp"
#include "training/optimiser.hpp"
#include "training/pass.hpp"

namespace jikji::training {

struct TrainOptions {
    LoraOptions lora;
    OptimiserOptions optimiser;
    int epochs = 3;                  // 1 to 100
    int batch_size = 4;              // samples of an optimiser step, 1 to 1024
    bool shuffle = true;             // anew in each epoch; else in the order given
    std::uint64_t seed = 42;         // of A, of the order, of dropout
    int pack_tokens = 1024;          // of one pass, at most
    double checkpoint_seconds = 60;  // and at the end of each epoch
    int checkpoint_steps = 0;        // above 0: also every so many steps (tests)
    int evaluate_steps = 0;          // 0 = at the end of each epoch
    std::string base_id;             // SHA-256 of the base's file, for checkpoints
    /// A stand-in for Lora::initialise(), for comparisons with other trainers; may be empty.
    std::vector<float> initial_values;
};

struct StepReport {
    std::int64_t step = 0;  // from 1
    std::int64_t total = 0;
    double epoch = 0;  // that are done, with a fraction
    double loss = 0;   // mean over the learnt tokens of the step's batch
    double right = 0;  // share of them whose likeliest guess was right
    double rate = 0;
    double gradient_norm = 0;
    std::int64_t tokens = 0;       // of this step
    std::int64_t tokens_done = 0;  // of the run
    double seconds = 0;            // of this step
};

struct HeldOutReport {
    std::int64_t step = 0;
    double loss = 0;
    double base_loss = 0;  // of the base alone
    double right = 0;      // share of tokens whose likeliest guess was right
};

/// Called by run(), in its thread. Empty ones are not called. The base's own held-out loss is
/// reported as step 0, after the first step, so that it does not hold that up.
struct TrainListener {
    std::function<void(const StepReport&)> step;
    std::function<void(const HeldOutReport&)> held_out;
    std::function<void(std::int64_t step, const std::filesystem::path& file)> checkpoint;
    /// A checkpoint could not be written (a full disk): the one before stays whole, the run goes on
    /// and tries again with the next.
    std::function<void(const Error& cause)> not_saved;
};

enum class TrainEnd { kDone, kStopped };

class Trainer {
public:
    /// `folder` is for checkpoints; the newest sound one is resumed from if it is of this very run
    /// (options, data and base), else Error(kConflict) says what differs.
    Trainer(const BaseModel& base, Split data, TrainOptions options, PassOptions pass,
            std::filesystem::path folder);
    ~Trainer();

    std::int64_t steps_total() const;
    std::int64_t steps_done() const;  // resumed from
    std::int64_t tokens_done() const;
    std::int64_t steps_saved() const;  // of the newest checkpoint
    double last_loss() const;          // of the last step that was done
    const Lora& lora() const;
    /// Of training on one token: a forward pass over a part of the next sample is timed, and the
    /// rest counted in operations.
    double estimate_seconds_of_token();
    /// Of the values as they are at the end; nothing if nothing was held out.
    std::optional<HeldOutReport> held_out() const;

    /// Until the end, or until `stop` is set, between two passes: then a checkpoint is written
    /// first. At the end one is written as well. Throws Diverged that names the step if a loss or a
    /// gradient is not finite; the checkpoint before it stays.
    TrainEnd run(const TrainListener& listener, const std::atomic<bool>& stop);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace jikji::training
