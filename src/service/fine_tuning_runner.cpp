#include "service/fine_tuning_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "storage/database.hpp"
#include "training/job.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using training::DoneEvent;
using training::ErrorEvent;
using training::JobEvent;
using training::StoppedEvent;

namespace {

constexpr auto kRetryAfter = 5s;            // the database did not let us work
constexpr auto kRoomAfter = 1s;             // the disk was full: is there room?
constexpr std::size_t kHeardMost = 10'000;  // events that wait for room
constexpr auto kWriteEvery = 300ms;         // events come in bursts; each commit is synced
constexpr auto kCheckpointTime = 8s;        // that the server's own end leaves to the process
constexpr std::uint64_t kLineBytes = 1 << 20;

bool is_end(const JobEvent& event) {
    return std::holds_alternative<DoneEvent>(event) ||
           std::holds_alternative<StoppedEvent>(event) || std::holds_alternative<ErrorEvent>(event);
}

std::vector<std::string> words_of(const std::string& list) {
    std::vector<std::string> out;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');) out.push_back(word);
    return out;
}

training::TemplateChoice choice_of(const std::string& name) {
    if (name == "model") return training::TemplateChoice::kModel;
    return name == "alpaca" ? training::TemplateChoice::kAlpaca : training::TemplateChoice::kAuto;
}

/// The oldest steps go: their numbers are in metrics.csv as well.
void keep_to_limit(std::vector<JobEvent>& heard) {
    if (heard.size() < kHeardMost) return;
    const auto step = std::find_if(heard.begin(), heard.end(), [](const JobEvent& event) {
        return std::holds_alternative<training::StepEvent>(event);
    });
    heard.erase(step == heard.end() ? heard.begin() : step);
}

}  // namespace

FineTuningRunner::FineTuningRunner(storage::Database& database, Files& files,
                                   FineTunedModels& models, const FineTuningFolders& folders,
                                   FineTuningOptions options)
    : database_(database),
      files_(files),
      models_(models),
      folders_(folders),
      options_(std::move(options)),
      woken_(options_.go_on),
      thread_([this] { run(); }) {}

FineTuningRunner::~FineTuningRunner() {
    stop();
    thread_.join();
}

void FineTuningRunner::stop() {
    {
        const std::lock_guard lock(mutex_);
        if (!std::exchange(stopping_, true)) kill_at_ = Clock::now() + kCheckpointTime;
    }
    changed_.notify_all();
    models_.stop();
    changed();
}

bool FineTuningRunner::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void FineTuningRunner::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    changed_.notify_all();
}

bool FineTuningRunner::end(const std::string& id, ChildWish how) {
    const std::lock_guard lock(mutex_);
    if (current_ != id) return false;
    wish_ = how;
    return true;
}

void FineTuningRunner::pause(std::chrono::milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return stopping_; });
}

void FineTuningRunner::run() {
    while (true) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || woken_; });
            if (stopping_) return;
            woken_ = false;
        }
        try {
            if (take_next()) wake();
        } catch (const std::exception& error) {  // the database: a full disk, for one
            log_error({}, fmt::format("fine-tuning: {}", error.what()));
            pause(kRetryAfter);
            wake();
        }
    }
}

void FineTuningRunner::patiently(const std::function<void()>& work) {
    while (true) {
        try {
            work();
            full_ = false;
            return;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kDiskFull || stopping()) throw;
            disk_is_full(error);
        }
        pause(kRoomAfter);
    }
}

void FineTuningRunner::disk_is_full(const Error& error) {
    if (std::exchange(full_, true)) return;
    log_warn(
        fmt::format("fine-tuning: {}; training goes on meanwhile, and what it says is written "
                    "when there is room",
                    error.what()));
}

std::optional<FineTuningJob> FineTuningRunner::change(
    const std::string& id, const std::function<void(FineTuningChange&)>& edit) {
    std::optional<FineTuningJob> job;
    patiently([&] { job = change_job(database_, id, edit); });
    return job;
}

void FineTuningRunner::leave() {
    std::string id;
    {
        const std::lock_guard lock(mutex_);
        id = std::exchange(current_, {});
    }
    if (id.empty()) return;
    std::optional<FineTuningJob> job;
    database_.read([&](storage::Connection& connection) {
        job = storage::FineTuningJobsTable(connection).get(id);
    });
    if (job) folders_.tidy(*job);
}

bool FineTuningRunner::take_next() {
    leave();  // one that threw
    std::optional<FineTuningJob> job;
    database_.read([&](storage::Connection& connection) {
        job = storage::FineTuningJobsTable(connection).next_to_do();
    });
    if (!job) return false;
    {
        const std::lock_guard lock(mutex_);
        current_ = job->id;
        wish_ = ChildWish::kGoOn;
    }
    work(*job);
    leave();
    return true;
}

void FineTuningRunner::work(const FineTuningJob& job) {
    Ended ended;
    FineTuningJob begun = job;
    try {
        begun = begin(job);
        if (begun.status != "running" || begun.paused) return;  // cancelled or paused meanwhile
        ended = compute(begun);
    } catch (const std::exception& cause) {
        if (stopping()) return;  // it goes on the next time
        ended.last = training::error_event(cause);
    }
    finish(begun, ended);
}

FineTuningJob FineTuningRunner::begin(const FineTuningJob& job) {
    const BaseFile base = models_.base(job.model);
    if (!job.base_sha256.empty()) models_.require_same_base(job);
    const auto begun = change(job.id, [&](FineTuningChange& change) {
        FineTuningJob& now = change.job;
        if (has_ended(now) || now.paused) return;
        now.base_sha256 = base.sha256;
        now.base_bytes = base.bytes;
        now.base_changed_ns = base.changed_ns;
        const bool again = std::exchange(now.status, "running") == "running";
        if (!again) change.say("info", "Fine-tuning job started", "미세 조정을 시작했습니다.");
    });
    changed();
    if (!begun) throw Error(ErrorCode::kNotFound, "the job is gone");
    if (begun->status == "running" && !begun->paused) patiently([&] { write_spec(*begun); });
    return *begun;
}

void FineTuningRunner::write_spec(const FineTuningJob& job) const {
    const fs::path folder = folders_.of(job.id);
    training::JobSpec spec;
    spec.adapter_name = fine_tuned_name(job);
    spec.base_name = job.model;
    spec.base = models_.base(job.model).path;
    spec.base_sha256 = job.base_sha256;
    spec.data = {folders_.training_data(job.id), job.training_name};
    if (!job.validation_file.empty()) {
        spec.validation = training::DataFile{folders_.validation_data(job.id), job.validation_name};
    }
    spec.held_out_share = job.held_out;
    spec.choice = choice_of(job.template_name);
    spec.train.epochs = job.epochs;
    spec.train.batch_size = job.batch_size;
    spec.train.seed = static_cast<std::uint64_t>(job.seed);
    spec.train.optimiser.learning_rate = job.learning_rate;
    if (job.warmup_steps >= 0) spec.warmup_steps = job.warmup_steps;
    spec.train.lora.rank = job.rank;
    spec.train.lora.alpha = static_cast<float>(job.alpha);
    spec.train.lora.dropout = static_cast<float>(job.dropout);
    spec.train.lora.targets.clear();
    for (const std::string& name : words_of(job.targets)) {
        spec.train.lora.targets.push_back(training::module_named(name));
    }
    if (job.max_length > 0) spec.sample_tokens_most = job.max_length;
    spec.threads = options_.threads;
    training::write_job(folder, spec);
}

FineTuningRunner::Ended FineTuningRunner::compute(const FineTuningJob& job) {
    Ended ended;
    heard_.clear();
    write_at_ = {};
    const std::string folder = folders_.of(job.id).string();
    ended.result = run_talking_child(
        {options_.program.string(), "train-job", folder},
        {.time = {}, .memory_bytes = 0, .output_bytes = kLineBytes},
        {[&](std::string_view line) { hear(ended, line); }, [this] { return wish(); }});
    write_down(/*at_once=*/true);
    return ended;
}

ChildWish FineTuningRunner::wish() {
    write_down(/*at_once=*/false);
    const std::lock_guard lock(mutex_);
    if (wish_ == ChildWish::kKill) return wish_;
    if (stopping_) return Clock::now() < kill_at_ ? ChildWish::kStop : ChildWish::kKill;
    return wish_;
}

void FineTuningRunner::hear(Ended& ended, std::string_view line) {
    auto event = training::parse_event(line);
    if (!event) return log_warn(fmt::format("fine-tuning said: {}", printable(line)));
    if (is_end(*event)) {
        ended.last = std::move(event);
    } else {
        keep_to_limit(heard_);
        heard_.push_back(std::move(*event));
    }
}

// What throws in here kills the process: a full disk must not, for it has hours of work in memory.
void FineTuningRunner::write_down(bool at_once) {
    if (heard_.empty() || (!at_once && Clock::now() < write_at_)) return;
    const auto edit = [&](FineTuningChange& change) {
        if (has_ended(change.job)) return;  // cancelled: what it still says is of no interest
        for (const JobEvent& event : heard_) take_in(event, change);
    };
    try {
        at_once ? change(current_, edit) : change_job(database_, current_, edit);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kDiskFull || at_once) throw;
        disk_is_full(error);
        write_at_ = Clock::now() + kRoomAfter;
        return;
    }
    full_ = false;
    heard_.clear();
    write_at_ = Clock::now() + kWriteEvery;
    changed();
}

}  // namespace jikji::service
