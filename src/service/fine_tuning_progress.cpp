#include "service/fine_tuning_progress.hpp"

#include <fmt/format.h>

#include <cmath>
#include <ctime>

#include "base/ids.hpp"
#include "storage/database.hpp"

namespace jikji::service {
namespace {

using training::CheckpointEvent;
using training::HeldOutEvent;
using training::NoteEvent;
using training::PreparedEvent;
using training::StepEvent;

std::int64_t finish_in(double seconds) {
    return std::time(nullptr) + static_cast<std::int64_t>(std::ceil(std::max(seconds, 0.0)));
}

std::string left_out(const PreparedEvent& e, bool korean) {
    if (e.duplicates + e.empty + e.too_long == 0) return {};
    return korean ? fmt::format(" 제외: 중복 {}, 빈 답 {}, 너무 긴 것 {}.", e.duplicates, e.empty,
                                e.too_long)
                  : fmt::format("; left out: {} duplicates, {} empty, {} too long", e.duplicates,
                                e.empty, e.too_long);
}

void take(const PreparedEvent& e, FineTuningChange& change) {
    FineTuningJob& job = change.job;
    job.samples = e.samples;
    job.held_out_samples = e.held_out;
    job.steps_total = e.steps_total;
    job.steps_done = e.steps_done;
    job.warmup_steps = static_cast<int>(e.warmup_steps);
    job.template_used = e.template_name;
    job.length_used = static_cast<int>(e.max_length);
    job.estimated_finish = finish_in(e.seconds_estimate);
    if (e.steps_done > 0) {
        change.say(
            "info", fmt::format("Goes on after step {}/{}", e.steps_done, e.steps_total),
            fmt::format("{}/{} 단계 다음부터 이어서 학습합니다.", e.steps_done, e.steps_total));
        return;
    }
    change.say(
        "info",
        fmt::format("Training data ready: {} samples ({} held out), {} tokens an epoch, {} "
                    "steps, template {}; about {}{}",
                    e.samples, e.held_out, e.tokens, e.steps_total, e.template_name,
                    time_for_people(e.seconds_estimate, false), left_out(e, false)),
        fmt::format("학습 데이터 준비: 샘플 {}개(검증용 {}개), 에폭당 {}토큰, {}단계, 템플릿 "
                    "{}. 예상 시간 {}.{}",
                    e.samples, e.held_out, e.tokens, e.steps_total, e.template_name,
                    time_for_people(e.seconds_estimate, true), left_out(e, true)));
    for (std::size_t i = 0; i < e.notes.size(); ++i) {
        change.say("info", e.notes[i], i < e.notes_korean.size() ? e.notes_korean[i] : e.notes[i]);
    }
}

void take(const StepEvent& e, FineTuningChange& change) {
    FineTuningJob& job = change.job;
    job.steps_done = e.step;
    job.steps_total = e.total;
    job.trained_tokens = e.tokens_done;
    job.train_loss = e.loss;
    job.estimated_finish = finish_in(e.seconds_left);
    change.say("info", fmt::format("Step {}/{}: training loss={:.4f}", e.step, e.total, e.loss),
               fmt::format("{}/{} 단계: 학습 손실 {:.4f}", e.step, e.total, e.loss));
    change.events.back().metrics = {{"step", static_cast<double>(e.step)},
                                    {"total_steps", static_cast<double>(e.total)},
                                    {"epoch", e.epoch},
                                    {"train_loss", e.loss},
                                    {"train_mean_token_accuracy", e.accuracy},
                                    {"learning_rate", e.rate},
                                    {"gradient_norm", e.gradient_norm},
                                    {"tokens_done", static_cast<double>(e.tokens_done)},
                                    {"tokens_per_second", e.tokens_per_second},
                                    {"seconds_left", e.seconds_left}};
}

void take(const HeldOutEvent& e, FineTuningChange& change) {
    change.job.base_loss = e.base_loss;
    if (e.step > 0) change.job.held_out_loss = e.loss;
    const bool base = e.step == 0;
    change.say("info",
               base ? fmt::format("Before training: held-out loss={:.4f}", e.loss)
                    : fmt::format("Step {}: held-out loss={:.4f} (base: {:.4f})", e.step, e.loss,
                                  e.base_loss),
               base ? fmt::format("학습 전: 검증 손실 {:.4f}", e.loss)
                    : fmt::format("{} 단계: 검증 손실 {:.4f} (기본 모델 {:.4f})", e.step, e.loss,
                                  e.base_loss));
    change.events.back().metrics = {{"step", static_cast<double>(e.step)},
                                    {"valid_loss", e.loss},
                                    {"valid_mean_token_accuracy", e.accuracy},
                                    {"base_loss", e.base_loss}};
}

void take(const CheckpointEvent& e, FineTuningChange& change) {
    change.job.crashes = 0;
    FineTuningCheckpoint checkpoint{make_id("ftckpt_"), std::time(nullptr), e.step, {}};
    if (change.job.train_loss) checkpoint.metrics["train_loss"] = *change.job.train_loss;
    if (change.job.held_out_loss) checkpoint.metrics["valid_loss"] = *change.job.held_out_loss;
    change.checkpoints.push_back(std::move(checkpoint));
}

void take(const NoteEvent& e, FineTuningChange& change) {
    change.say("warn", e.message, e.korean.empty() ? e.message : e.korean);
}

template <typename End>
void take(const End&, FineTuningChange&) {}  // the runner's business

}  // namespace

void FineTuningChange::say(std::string level, std::string english, std::string korean) {
    events.push_back({make_id("ftevent-"),
                      std::time(nullptr),
                      std::move(level),
                      std::move(english),
                      std::move(korean),
                      {}});
}

std::optional<FineTuningJob> change_job(storage::Database& database, const std::string& id,
                                        const std::function<void(FineTuningChange&)>& edit) {
    std::optional<FineTuningJob> job;
    database.write([&](storage::Connection& connection) {
        storage::FineTuningJobsTable jobs(connection);
        job = jobs.get(id);
        if (!job) return;
        FineTuningChange change{*job};
        edit(change);
        jobs.update(*job);
        storage::FineTuningEventsTable events(connection);
        for (const FineTuningEvent& event : change.events) events.insert(id, event);
        storage::FineTuningCheckpointsTable checkpoints(connection);
        for (const auto& checkpoint : change.checkpoints) checkpoints.insert(id, checkpoint);
    });
    return job;
}

void take_in(const training::JobEvent& event, FineTuningChange& change) {
    std::visit([&](const auto& e) { take(e, change); }, event);
}

std::string time_for_people(double seconds, bool korean) {
    const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
    const std::int64_t hours = whole / 3600, minutes = whole / 60 % 60, rest = whole % 60;
    if (hours > 0) {
        return korean ? fmt::format("{}시간 {}분", hours, minutes)
                      : fmt::format("{} h {} min", hours, minutes);
    }
    if (minutes > 0) {
        return korean ? fmt::format("{}분 {}초", minutes, rest)
                      : fmt::format("{} min {} s", minutes, rest);
    }
    return korean ? fmt::format("{}초", rest) : fmt::format("{} s", rest);
}

}  // namespace jikji::service
