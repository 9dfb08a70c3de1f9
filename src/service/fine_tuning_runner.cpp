#include "service/fine_tuning_runner.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <ctime>
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
constexpr int kCrashes = 2;                 // without a checkpoint between them: then it has failed
constexpr int kHeldTries = 20;              // while another process has the job's folder
constexpr auto kHeldWait = 500ms;
constexpr std::uint64_t kLineBytes = 1 << 20;

bool is_end(const JobEvent& event) {
    return std::holds_alternative<DoneEvent>(event) ||
           std::holds_alternative<StoppedEvent>(event) || std::holds_alternative<ErrorEvent>(event);
}

std::string how_it_ended(const ChildResult& result, bool korean) {
    if (result.signal == SIGKILL) {
        return korean ? "커널이 종료했습니다(메모리가 부족했을 가능성이 큽니다)"
                      : "it was killed, most likely because memory ran out";
    }
    if (result.signal != 0) {
        return fmt::format(
            fmt::runtime(korean ? "시그널 {}(으)로 끝났습니다" : "it died of signal {}"),
            result.signal);
    }
    return fmt::format(fmt::runtime(korean ? "코드 {}(으)로 끝났습니다" : "it ended with code {}"),
                       result.exit_code);
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

void FineTuningRunner::finish(const FineTuningJob& job, const Ended& ended) {
    if (!ended.last) {
        crashed(job, ended.result);
    } else if (const auto* done = std::get_if<DoneEvent>(&*ended.last)) {
        succeed(job, *done);
    } else if (const auto* stop = std::get_if<StoppedEvent>(&*ended.last)) {
        stopped(job, *stop);
    } else {
        const ErrorEvent& error = std::get<ErrorEvent>(*ended.last);
        // The process of a server that was killed just now may still be dying.
        if (error.field == "folder" && ++held_ < kHeldTries) return pause(kHeldWait);
        held_ = 0;
        fail(job.id, error);
    }
    changed();
}

void FineTuningRunner::stopped(const FineTuningJob& job, const StoppedEvent& event) {
    change(job.id, [&](FineTuningChange& change) {
        change.job.steps_done = event.step;
        change.job.estimated_finish = 0;
        if (!change.job.paused) return;  // the server stops, or it was resumed at once
        change.say(
            "info", fmt::format("Paused after step {}; resume it when you like", event.step),
            fmt::format("{} 단계 뒤에 일시 정지했습니다. 언제든지 다시 시작하세요.", event.step));
    });
}

void FineTuningRunner::crashed(const FineTuningJob& job, const ChildResult& result) {
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || wish_ == ChildWish::kKill) return;  // we did it
    }
    log_warn(fmt::format("fine-tuning {}: {} {}", job.id, how_it_ended(result, false),
                         printable(result.errors)));
    bool again = false;
    change(job.id, [&](FineTuningChange& change) {
        again = ++change.job.crashes < kCrashes;
        if (has_ended(change.job) || !again) return;
        change.say("warn",
                   fmt::format("The training process ended early ({}); it starts again from its "
                               "last checkpoint",
                               how_it_ended(result, false)),
                   fmt::format("학습 프로세스가 중간에 멈췄습니다({}). 마지막 체크포인트에서 다시 "
                               "시작합니다.",
                               how_it_ended(result, true)));
    });
    if (again) return;
    fail(job.id,
         {"training_crashed",
          {},
          fmt::format("the training process ended early twice ({}); free memory, or ask for a "
                      "smaller max_length or rank, then resume the job: it goes on from its last "
                      "checkpoint",
                      how_it_ended(result, false)),
          fmt::format(
              "학습 프로세스가 두 번 중간에 멈췄습니다({}). 메모리를 확보하거나 max_length나 "
              "rank를 줄인 뒤 작업을 다시 시작(resume)하면 마지막 체크포인트에서 이어집니다.",
              how_it_ended(result, true))});
}

void FineTuningRunner::fail(const std::string& id, const ErrorEvent& error) {
    const bool ours = error.code == "internal";
    const std::string said =
        fmt::format("fine-tuning {} has failed ({}): {}", id, error.code, error.message);
    ours ? log_error({}, said) : log_warn(said);
    change(id, [&](FineTuningChange& change) {
        FineTuningJob& job = change.job;
        if (has_ended(job)) return;
        job.status = "failed";
        job.paused = false;
        job.finished_at = std::time(nullptr);
        job.estimated_finish = 0;
        job.error_code = error.code;
        job.error_message = error.message;
        job.error_korean = error.korean.empty() ? error.message : error.korean;
        job.error_param = error.field;
        if (ours) {
            job.error_message = "internal error; the log says more";
            job.error_korean = "내부 오류입니다. 자세한 내용은 로그에 있습니다.";
        }
        change.say("error", "The job has failed: " + job.error_message,
                   "작업이 실패했습니다: " + job.error_korean);
    });
}

// As files that clients can download. A crash after this leaves files that no job names: the next
// start removes them.
std::vector<std::string> FineTuningRunner::keep_results(const FineTuningJob& job) const {
    std::vector<std::string> ids;
    try {
        for (const auto& [from, name] :
             {std::pair{"metrics.csv", "step_metrics.csv"}, std::pair{"loss.svg", "loss.svg"}}) {
            const fs::path source = folders_.of(job.id) / from;
            if (!fs::exists(source)) continue;
            const fs::path copy = files_.new_upload_path();
            std::error_code failed;
            fs::copy_file(source, copy, failed);
            if (failed) {
                fs::remove(copy);
                throw_errno(failed.value(), "copying", source);
            }
            ids.push_back(files_.add_output(copy, name, kResultPurpose).id);
        }
    } catch (...) {
        drop_results(ids);
        throw;
    }
    return ids;
}

void FineTuningRunner::drop_results(const std::vector<std::string>& ids) const {
    for (const std::string& id : ids) {
        try {
            files_.remove(id);
        } catch (const std::exception& cause) {  // the next start does
            log_warn(fmt::format("fine-tuning: {} stays: {}", id, cause.what()));
        }
    }
}

// Offered first: who sees that it has succeeded may call it at once.
void FineTuningRunner::succeed(const FineTuningJob& job, const DoneEvent& done) {
    std::vector<std::string> results;
    try {
        models_.offer(job);
        patiently([&] { results = keep_results(job); });
    } catch (const std::exception& cause) {
        if (stopping()) throw;  // it says so again the next time
        return fail(job.id, training::error_event(cause));
    }
    bool cancelled = false;
    change(job.id, [&](FineTuningChange& change) {
        FineTuningJob& now = change.job;
        if ((cancelled = has_ended(now))) return;
        now.status = "succeeded";
        now.paused = false;
        now.finished_at = std::time(nullptr);
        now.estimated_finish = 0;
        now.fine_tuned_model = fine_tuned_name(now);
        now.result_files = results;
        now.steps_done = now.steps_total = done.steps;
        now.trained_tokens = done.tokens;
        now.train_loss = done.loss;
        if (done.held_out_loss) now.held_out_loss = done.held_out_loss;
        if (done.base_loss) now.base_loss = done.base_loss;
        now.worse_than_base = done.worse_than_base;
        change.say("info", "New fine-tuned model created: " + now.fine_tuned_model,
                   "미세 조정된 모델을 만들었습니다: " + now.fine_tuned_model);
        if (now.worse_than_base) {
            change.say("warn", warning_of(now, /*korean=*/false), warning_of(now, true));
        }
        change.say("info", "The job has successfully completed", "작업을 성공적으로 마쳤습니다.");
    });
    if (!cancelled) return;
    models_.withdraw(job);
    drop_results(results);
}

}  // namespace jikji::service
