// How a job ends: with its model, with an error, cut off, or stopped to go on later.
#include <fmt/format.h>

#include <csignal>
#include <ctime>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "service/fine_tuning_runner.hpp"
#include "training/job.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using training::DoneEvent;
using training::ErrorEvent;
using training::StoppedEvent;

namespace {

constexpr int kCrashes = 2;     // without a checkpoint between them: then it has failed
constexpr int kHeldTries = 20;  // while another process has the job's folder
constexpr auto kHeldWait = 500ms;

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

}  // namespace

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
