#include "training/job.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <future>
#include <thread>

#include "base/file.hpp"
#include "training/adapter_file.hpp"
#include "training/job_prepare.hpp"
#include "training/loss_curve.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

constexpr auto kLockTime = std::chrono::seconds(20);  // a job that was killed lets go within it
constexpr auto kLockPause = std::chrono::milliseconds(20);
constexpr double kRemember = 0.9;  // of the speed so far, when a step is over

FolderLock lock_folder(const fs::path& folder) {
    const auto end = std::chrono::steady_clock::now() + kLockTime;
    while (true) {
        if (auto lock = FolderLock::take(folder)) return std::move(*lock);
        if (std::chrono::steady_clock::now() > end) break;
        std::this_thread::sleep_for(kLockPause);
    }
    throw Error(
        ErrorCode::kConflict,
        fmt::format("another process trains in {}; stop it first", folder.string()), "folder",
        fmt::format("{}에서 다른 프로세스가 학습하고 있습니다. 먼저 멈추세요.", folder.string()));
}

/// The learnt samples as they are trained on, for those who want to compare trainers.
void write_samples(const fs::path& file, const std::vector<Sample>& samples) {
    std::ofstream out(file);
    for (const Sample& sample : samples) {
        out << fmt::format("{{\"line\":{},\"tokens\":[{}],\"learnt\":[{}]}}\n", sample.line,
                           fmt::join(sample.tokens, ","), fmt::join(sample.learnt, ","));
    }
}

/// Says what the trainer does, and keeps the curve.
class Teller {
public:
    using Say = std::function<void(const JobEvent& event)>;

    Teller(const fs::path& folder, const JobSpec& spec, const PreparedEvent& prepared,
           const Trainer& trainer, const Say& say)
        : folder_(folder),
          name_(spec.adapter_name.empty() ? spec.base_name : spec.adapter_name),
          prepared_(prepared),
          epochs_(spec.train.epochs),
          say_(say),
          curve_(folder / "metrics.csv", trainer.steps_done()) {
        if (const auto before = trainer.held_out()) base_loss_ = before->base_loss;
    }

    TrainListener listener() {
        TrainListener out;
        out.step = [this](const StepReport& report) { step(report); };
        out.held_out = [this](const HeldOutReport& report) { held_out(report); };
        out.checkpoint = [this](std::int64_t step, const fs::path& file) {
            draw();
            say_(CheckpointEvent{step, file.filename().string()});
        };
        out.not_saved = [this](const Error& cause) {
            say_(NoteEvent{fmt::format("no checkpoint could be written ({}); the last one stays, "
                                       "and the work goes on",
                                       cause.what()),
                           fmt::format("체크포인트를 쓰지 못했습니다({}). 이전 것은 그대로 있고 "
                                       "학습은 계속됩니다.",
                                       cause.korean())});
        };
        return out;
    }

    /// From here to the end, at the speed that was measured.
    double seconds_left(std::int64_t tokens_done) const {
        const std::int64_t left = prepared_.tokens * epochs_ - tokens_done;
        return static_cast<double>(std::max<std::int64_t>(0, left)) * seconds_of_token_;
    }
    void expect(double seconds_of_token) { seconds_of_token_ = seconds_of_token; }

    void draw() {
        guard([this] { curve_.settle(); });
        guard([this] {
            write_file_durably(folder_ / "loss.svg",
                               loss_svg(curve_.rows(), {name_, prepared_.steps_total, base_loss_}));
        });
    }

private:
    void step(const StepReport& report) {
        const double now = report.seconds / static_cast<double>(report.tokens);
        seconds_of_token_ = measured_ ? kRemember * seconds_of_token_ + (1 - kRemember) * now : now;
        measured_ = true;
        guard([&] { curve_.add_step(report.step, report.loss, report.right); });
        StepEvent event;
        event.step = report.step;
        event.total = report.total;
        event.epoch = report.epoch;
        event.loss = report.loss;
        event.accuracy = report.right;
        event.rate = report.rate;
        event.gradient_norm = report.gradient_norm;
        event.tokens = report.tokens;
        event.tokens_done = report.tokens_done;
        event.tokens_per_second = 1 / std::max(1e-9, now);
        event.seconds_left = seconds_left(report.tokens_done);
        say_(event);
    }

    void held_out(const HeldOutReport& report) {
        base_loss_ = report.base_loss;
        guard([&] { curve_.add_held_out(report.step, report.loss, report.right); });
        say_(HeldOutEvent{report.step, report.loss, report.base_loss, report.right});
    }

    /// A picture that cannot be written ends no training; it is said once.
    void guard(const std::function<void()>& write) {
        try {
            write();
        } catch (const Error& cause) {
            if (!std::exchange(complained_, true)) {
                say_(NoteEvent{
                    fmt::format("metrics.csv or loss.svg could not be written: {}", cause.what()),
                    fmt::format("metrics.csv나 loss.svg를 쓰지 못했습니다: {}", cause.korean())});
            }
        }
    }

    fs::path folder_;
    std::string name_;
    PreparedEvent prepared_;
    int epochs_;
    const Say& say_;
    CurveFile curve_;
    std::optional<double> base_loss_;
    double seconds_of_token_ = 0;
    bool measured_ = false;
    bool complained_ = false;
};

DoneEvent finish(const fs::path& folder, const JobSpec& spec, const BaseModel& base,
                 const std::string& base_sha256, const Trainer& trainer) {
    DoneEvent done;
    done.adapter = "adapter.gguf";
    done.steps = trainer.steps_done();
    done.tokens = trainer.tokens_done();
    done.loss = trainer.last_loss();
    AdapterFacts facts;
    facts.name = spec.adapter_name;
    facts.base_name = spec.base_name;
    facts.base_sha256 = base_sha256;
    facts.architecture = base.gguf().architecture();
    facts.lora = spec.train.lora;
    if (const auto held_out = trainer.held_out()) {
        done.held_out_loss = facts.held_out_loss = held_out->loss;
        done.base_loss = facts.base_loss = held_out->base_loss;
        done.worse_than_base = held_out->loss > held_out->base_loss;
    }
    write_adapter(folder / done.adapter, facts, trainer.lora());
    return done;
}

}  // namespace

JobEnd run_job(const fs::path& folder, const std::function<void(const JobEvent& event)>& say,
               const std::atomic<bool>& stop) {
    const FolderLock lock = lock_folder(folder);
    const JobSpec spec = read_job(folder);
    // Seconds for a large file, so it is read while the data is.
    auto hash = std::async(std::launch::async, [&spec] { return checked_hash(spec); });
    PreparedJob job = prepare(spec);
    if (spec.write_samples) write_samples(folder / "samples.jsonl", job.data.train);
    job.train.base_id = hash.get();
    const std::string base_sha256 = job.train.base_id;
    Trainer trainer(*job.base, std::move(job.data), job.train, job.pass, folder);
    Teller teller(folder, spec, job.said, trainer, say);
    job.said.steps_done = trainer.steps_done();
    if (trainer.steps_done() < trainer.steps_total()) {
        teller.expect(trainer.estimate_seconds_of_token());
        job.said.seconds_estimate = teller.seconds_left(trainer.tokens_done());
    }
    say(job.said);
    if (trainer.run(teller.listener(), stop) == TrainEnd::kStopped) {
        teller.draw();
        say(StoppedEvent{trainer.steps_saved()});
        return JobEnd::kStopped;
    }
    const DoneEvent done = finish(folder, spec, *job.base, base_sha256, trainer);
    teller.draw();
    say(done);
    return JobEnd::kDone;
}

}  // namespace jikji::training
