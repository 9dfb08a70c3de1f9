#pragma once
// What a training job says: one JSON object a line, {"event": "step", …}, with the fields of the
// structs below under the same names. Losses are means in nats over learnt tokens. Numbers that
// are not known are left out. Threads: any.
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace jikji::training {

/// First of all; again, with the same numbers but steps_done, after a resume.
struct PreparedEvent {          // "prepared"
    std::int64_t samples = 0;   // that are learnt
    std::int64_t held_out = 0;  // samples
    std::int64_t tokens = 0;    // of one epoch
    std::int64_t steps_total = 0;
    std::int64_t steps_done = 0;  // above 0 after a resume
    std::int64_t duplicates = 0;  // left out
    std::int64_t empty = 0;       // left out
    std::int64_t too_long = 0;    // left out
    std::int64_t warmup_steps = 0;
    std::int64_t max_length = 0;            // tokens of a sample; longer ones are left out
    std::int64_t parameters = 0;            // that are learnt
    std::vector<std::string> notes;         // for people
    std::vector<std::string> notes_korean;  // the same
    std::string template_name;    // "template": "model" or "alpaca"; "none" for plain text
    std::string precision;        // "f32" or "bf16"
    double seconds_estimate = 0;  // from here to the end
};

struct StepEvent {          // "step"
    std::int64_t step = 0;  // from 1
    std::int64_t total = 0;
    double epoch = 0;     // that are done, with a fraction
    double loss = 0;      // of the step's batch, before the step
    double accuracy = 0;  // share of learnt tokens whose likeliest guess was right
    double rate = 0;      // of learning
    double gradient_norm = 0;
    std::int64_t tokens = 0;       // of the step
    std::int64_t tokens_done = 0;  // of the job, over all stops
    double tokens_per_second = 0;
    double seconds_left = 0;
};

/// Step 0 is the base alone; it may come after the first steps. Then once an epoch.
struct HeldOutEvent {  // "held_out"
    std::int64_t step = 0;
    double loss = 0;
    double base_loss = 0;
    double accuracy = 0;
};

struct CheckpointEvent {  // "checkpoint"
    std::int64_t step = 0;
    std::string file;  // in the folder
};

/// Something that people should know and that ends nothing: a short warm-up, a full disk.
struct NoteEvent {  // "note"
    std::string message;
    std::string korean;
};

struct DoneEvent {        // "done"
    std::string adapter;  // file in the folder
    std::int64_t steps = 0;
    std::int64_t tokens = 0;
    double loss = 0;                      // of the last step
    std::optional<double> held_out_loss;  // none if nothing was held out
    std::optional<double> base_loss;
    bool worse_than_base = false;
};

struct StoppedEvent {       // "stopped"
    std::int64_t step = 0;  // of the checkpoint from which it will go on
};

struct ErrorEvent {  // "error"
    std::string
        code;  // as HTTP errors have it ("storage_full", "internal"), or "training_diverged"
    std::string field;
    std::string message;
    std::string korean;
};

using JobEvent = std::variant<PreparedEvent, StepEvent, HeldOutEvent, CheckpointEvent, NoteEvent,
                              DoneEvent, StoppedEvent, ErrorEvent>;

/// Without the line's end.
std::string to_line(const JobEvent& event);
/// Nothing for a line that is not an event of ours.
std::optional<JobEvent> parse_event(std::string_view line);

ErrorEvent error_event(const std::exception& cause);

}  // namespace jikji::training
