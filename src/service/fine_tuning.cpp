#include "service/fine_tuning.hpp"

#include <fmt/format.h>

#include <ctime>
#include <functional>
#include <set>
#include <utility>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "models/store.hpp"
#include "service/collection_checks.hpp"
#include "service/fine_tuning_checks.hpp"
#include "service/fine_tuning_folders.hpp"
#include "service/fine_tuning_models.hpp"
#include "service/fine_tuning_progress.hpp"
#include "service/fine_tuning_repeats.hpp"
#include "service/fine_tuning_runner.hpp"
#include "storage/database.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kRepeatSeconds = 60;  // within which a repeated request means the same job
constexpr int kPage = 1000;                  // rows that are looked at together
constexpr std::size_t kNameLetters = 8;      // of a job's id, in its model's name

Error no_job(const std::string& id) {
    const std::string shown = printable(id);
    return {ErrorCode::kNotFound, fmt::format("there is no fine-tuning job '{}'", shown),
            "fine_tuning_job_id", fmt::format("'{}' 미세 조정 작업이 없습니다.", shown)};
}

[[noreturn]] void refuse_ended(const FineTuningJob& job, const char* doing, const char* korean) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("job {} is {}; it cannot be {}", job.id, job.status, doing),
                "fine_tuning_job_id",
                fmt::format("{} 작업은 {} 상태라서 {}.", job.id, job.status, korean));
}

// It would come to the same end, or was cancelled after it had failed.
[[noreturn]] void refuse_failed(const FineTuningJob& job) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("job {} has failed and cannot be resumed, as its data and checkpoints "
                            "are gone; start a new job ({})",
                            job.id, job.error_message),
                "fine_tuning_job_id",
                fmt::format("{} 작업은 실패했고, 데이터와 체크포인트가 지워져 다시 시작할 수 "
                            "없습니다. 새 작업을 시작하세요({}).",
                            job.id, job.error_korean));
}

std::string joined(const std::vector<training::Module>& targets) {
    std::vector<std::string_view> names;
    for (const auto target : targets) names.push_back(training::name_of(target));
    return fmt::format("{}", fmt::join(names, ","));
}

FineTuningJob job_of(const FineTuningRequest& request) {
    FineTuningJob job;
    job.id = make_id("ftjob-");
    job.model = request.model;
    job.training_file = request.training_file;
    job.validation_file = request.validation_file;
    job.suffix = checked_suffix(request.suffix);
    job.seed = request.seed;
    job.metadata = request.metadata;
    job.epochs = request.epochs;
    job.batch_size = request.batch_size;
    job.learning_rate = request.learning_rate;
    job.warmup_steps = request.warmup_steps.value_or(-1);
    job.rank = request.rank;
    job.alpha = request.alpha;
    job.dropout = request.dropout;
    job.targets = joined(targets_of(request));
    job.held_out = request.held_out;
    job.template_name = request.template_name;
    job.max_length = request.max_length;
    return job;
}

}  // namespace

std::string fine_tuned_name(const FineTuningJob& job) {
    const std::string id = job.id.substr(job.id.size() - std::min(kNameLetters, job.id.size()));
    return fmt::format("ft:{}:local:{}:{}", job.model, job.suffix.empty() ? id : job.suffix, id);
}

bool has_ended(const FineTuningJob& job) {
    return job.status == "succeeded" || job.status == "failed" || job.status == "cancelled";
}

std::string warning_of(const FineTuningJob& job, bool korean) {
    if (!job.worse_than_base || !job.held_out_loss || !job.base_loss) return {};
    return korean ? fmt::format(
                        "검증 손실이 {:.4f}로, 기본 모델의 {:.4f}보다 나쁩니다. 호출할 수는 "
                        "있지만 에폭이나 학습률을 줄이거나 데이터를 늘려 보세요.",
                        *job.held_out_loss, *job.base_loss)
                  : fmt::format(
                        "its held-out loss is {:.4f}, worse than the base's {:.4f}; it can "
                        "be called, but try fewer epochs, a lower learning rate or more "
                        "data",
                        *job.held_out_loss, *job.base_loss);
}

namespace {

/// job.json takes a relative path for one that starts at the job's folder.
FineTuningOptions with_absolute_paths(FineTuningOptions options) {
    options.folder = fs::absolute(options.folder);
    options.models = fs::absolute(options.models);
    return options;
}

}  // namespace

class FineTuning::Impl {
public:
    Impl(storage::Database& database, Files& files, engine::Engine& engine,
         FineTuningOptions options)
        : options_(with_absolute_paths(std::move(options))),
          database_(database),
          files_(files),
          store_(options_.models),
          folders_(options_.folder),
          models_(engine, options_),
          runner_((sweep(), database), files, models_, folders_, options_) {
        refresh();
    }

    FineTuningJob create(const FineTuningRequest& request);
    FineTuningJob get(const std::string& id) const;
    FineTuningJob change(const std::string& id, const std::function<void(FineTuningChange&)>& edit);
    FineTuningJob cancel(const std::string& id);
    FineTuningJob pause(const std::string& id);
    FineTuningJob resume(const std::string& id);
    void remove_model(const std::string& name);
    void refresh();
    fs::path folder_of(const std::string& id) const { return folders_.of(id); }
    std::uint64_t changes() const { return runner_.changes(); }
    void stop() { runner_.stop(); }
    bool stopping() const { return runner_.stopping(); }

    /// One consistent view of the tables.
    void read(const std::function<void(storage::Connection&)>& work) const { database_.read(work); }

private:
    void sweep();
    void sweep_folders();
    void sweep_results();
    void check(const FineTuningRequest& request, FineTuningJob& job) const;
    void insert(const FineTuningJob& job);
    std::optional<FineTuningJob> same_just_made(const FineTuningJob& job) const;

    FineTuningOptions options_;
    storage::Database& database_;
    Files& files_;
    models::Store store_;
    FineTuningFolders folders_;
    FineTunedModels models_;
    FineTuningRepeats repeats_;
    std::mutex refresh_mutex_;
    std::map<std::string, std::string> told_;  // job -> why its model is not offered
    FineTuningRunner runner_;
};

// What a crash has left, before anything computes or is asked for.
void FineTuning::Impl::sweep() {
    sweep_folders();
    sweep_results();
}

// Between a job's folder and its row, or its end and what that leaves to remove.
void FineTuning::Impl::sweep_folders() {
    std::vector<std::string> ids;
    for (const auto& entry : fs::directory_iterator(folders_.all())) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("ftjob-")) ids.push_back(name);
    }
    for (const std::string& id : ids) {
        std::optional<FineTuningJob> job;
        read([&](storage::Connection& connection) {
            job = storage::FineTuningJobsTable(connection).get(id);
        });
        job ? folders_.tidy(*job) : folders_.sweep_unknown(id);
    }
}

// Between a job's results and the row that names them.
void FineTuning::Impl::sweep_results() {
    std::set<std::string> named;
    Page page{.limit = kPage};
    for (bool more = true; more;) {
        read([&](storage::Connection& connection) {
            const auto jobs = storage::FineTuningJobsTable(connection)
                                  .list({page.after, page.limit, page.ascending}, {});
            for (const FineTuningJob& job : jobs.rows) {
                named.insert(job.result_files.begin(), job.result_files.end());
                page.after = job.id;
            }
            more = jobs.has_more;
        });
    }
    std::vector<std::string> orphans;
    page.after.clear();
    for (bool more = true; more;) {
        const Listed<FileObject> files = files_.list(page, kResultPurpose);
        for (const FileObject& file : files.items) {
            if (!named.contains(file.id)) orphans.push_back(file.id);
            page.after = file.id;
        }
        more = files.has_more;
    }
    for (const std::string& id : orphans) files_.remove(id);
}

void FineTuning::Impl::insert(const FineTuningJob& job) {
    database_.write([&](storage::Connection& connection) {
        storage::FineTuningJobsTable(connection).insert(job);
        FineTuningJob copy = job;
        FineTuningChange change{copy};
        change.say("info", "Created fine-tuning job: " + job.id,
                   "미세 조정 작업을 만들었습니다: " + job.id);
        change.say("info", "Files validated, moving job to queued state",
                   "파일을 확인했고 대기열에 넣었습니다.");
        for (const auto& event : change.events) {
            storage::FineTuningEventsTable(connection).insert(job.id, event);
        }
    });
}

/// Seconds for much data.
void FineTuning::Impl::check(const FineTuningRequest& request, FineTuningJob& job) const {
    const TrainableBase base = trainable_base(store_, request.model);
    check_length(request, base);
    job.training_name = checked_data(files_, request.training_file, "training_file").filename;
    if (request.validation_file.empty()) return;
    job.validation_name = checked_data(files_, request.validation_file, "validation_file").filename;
}

FineTuningJob FineTuning::Impl::create(const FineTuningRequest& request) {
    check_request(request);
    FineTuningJob job = job_of(request);
    const FineTuningRepeats::Making making = repeats_.begin(job, request.repeated);
    if (request.repeated) {
        if (const auto made = same_just_made(job)) return *made;
    }
    check(request, job);
    job.created_at = std::time(nullptr);
    folders_.make(job, files_);
    try {
        insert(job);
    } catch (...) {
        folders_.remove(job.id);
        throw;
    }
    runner_.changed();
    runner_.wake();
    return get(job.id);
}

std::optional<FineTuningJob> FineTuning::Impl::same_just_made(const FineTuningJob& job) const {
    const std::int64_t now = std::time(nullptr);
    std::optional<FineTuningJob> made;
    read([&](storage::Connection& connection) {
        for (auto& one : storage::FineTuningJobsTable(connection).list({.limit = 5}, {}).rows) {
            const bool fresh = now - one.created_at <= kRepeatSeconds;
            if (!made && fresh && asked_alike(one, job)) made = std::move(one);
        }
    });
    return made;
}

FineTuningJob FineTuning::Impl::get(const std::string& id) const {
    std::optional<FineTuningJob> job;
    read([&](storage::Connection& connection) {
        job = storage::FineTuningJobsTable(connection).get(id);
    });
    if (!job) throw no_job(id);
    return *job;
}

FineTuningJob FineTuning::Impl::change(const std::string& id,
                                       const std::function<void(FineTuningChange&)>& edit) {
    const auto job = change_job(database_, id, edit);
    if (!job) throw no_job(id);
    runner_.changed();
    return *job;
}

FineTuningJob FineTuning::Impl::cancel(const std::string& id) {
    bool now = false;
    const FineTuningJob job = change(id, [&](FineTuningChange& change) {
        // In the transaction: a resume() beside it finds the data gone, or the job not failed.
        if (change.job.status == "failed") folders_.remove_means(id);
        if (has_ended(change.job)) return;
        now = true;
        change.job.status = "cancelled";
        change.job.paused = false;
        change.job.finished_at = std::time(nullptr);
        change.job.estimated_finish = 0;
        change.say("info", "The job was cancelled", "작업을 취소했습니다.");
    });
    if (now && !runner_.end(id, ChildWish::kKill)) folders_.tidy(job);
    return job;
}

FineTuningJob FineTuning::Impl::pause(const std::string& id) {
    const FineTuningJob job = change(id, [](FineTuningChange& change) {
        if (has_ended(change.job)) {
            refuse_ended(change.job, "paused", "일시 정지할 수 없습니다");
        }
        if (std::exchange(change.job.paused, true)) return;
        change.say("info", "The job is asked to pause", "작업을 일시 정지합니다.");
    });
    runner_.end(id, ChildWish::kStop);
    return job;
}

FineTuningJob FineTuning::Impl::resume(const std::string& id) {
    const FineTuningJob job = change(id, [this](FineTuningChange& change) {
        FineTuningJob& now = change.job;
        if (now.status == "succeeded" || now.status == "cancelled") {
            refuse_ended(now, "resumed", "다시 시작할 수 없습니다");
        }
        if (now.status == "failed" && !folders_.may_go_on(now)) refuse_failed(now);
        if (now.status != "failed" && !now.paused) return;
        if (now.status == "failed") now.status = "queued";
        now.paused = false;
        now.crashes = 0;
        now.finished_at = 0;
        for (std::string* text :
             {&now.error_code, &now.error_message, &now.error_korean, &now.error_param}) {
            text->clear();
        }
        change.say("info", "The job is resumed", "작업을 다시 시작합니다.");
    });
    runner_.wake();
    return job;
}

void FineTuning::Impl::remove_model(const std::string& name) {
    std::optional<FineTuningJob> job;
    read([&](storage::Connection& connection) {
        job = storage::FineTuningJobsTable(connection).find_by_model(name);
    });
    if (!job) {
        const std::string shown = printable(name);
        throw Error(ErrorCode::kModelNotFound,
                    fmt::format("there is no fine-tuned model '{}'", shown), "model",
                    fmt::format("미세 조정된 모델 '{}'이(가) 없습니다.", shown));
    }
    models_.withdraw(*job);
    if (!job->model_removed) {
        change(job->id, [](FineTuningChange& change) {
            change.job.model_removed = true;
            change.say("info", "The fine-tuned model was deleted",
                       "미세 조정된 모델을 삭제했습니다.");
        });
    }
}

void FineTuning::Impl::refresh() {
    const std::lock_guard lock(refresh_mutex_);
    std::vector<FineTuningJob> jobs;
    read([&](storage::Connection& connection) {
        jobs = storage::FineTuningJobsTable(connection).with_models();
    });
    for (const FineTuningJob& job : jobs) {
        try {
            models_.offer(job);
            told_.erase(job.id);
        } catch (const std::exception& cause) {
            if (stopping()) return;
            if (std::exchange(told_[job.id], cause.what()) == cause.what()) continue;
            log_warn(fmt::format("{} is not offered: {}", job.fine_tuned_model, cause.what()));
        }
    }
}

FineTuning::FineTuning(storage::Database& database, Files& files, engine::Engine& engine,
                       FineTuningOptions options)
    : impl_(std::make_unique<Impl>(database, files, engine, std::move(options))) {}

FineTuning::~FineTuning() = default;

FineTuningJob FineTuning::create(const FineTuningRequest& request) {
    return impl_->create(request);
}
FineTuningJob FineTuning::get(const std::string& id) const { return impl_->get(id); }
FineTuningJob FineTuning::cancel(const std::string& id) { return impl_->cancel(id); }
FineTuningJob FineTuning::pause(const std::string& id) { return impl_->pause(id); }
FineTuningJob FineTuning::resume(const std::string& id) { return impl_->resume(id); }
std::uint64_t FineTuning::changes() const { return impl_->changes(); }
void FineTuning::remove_model(const std::string& name) { impl_->remove_model(name); }
void FineTuning::stop() { impl_->stop(); }
bool FineTuning::stopping() const { return impl_->stopping(); }
void FineTuning::refresh() { impl_->refresh(); }
fs::path FineTuning::folder_of(const std::string& id) const { return impl_->folder_of(id); }

std::vector<FineTuningJob> FineTuning::with_models() const {
    std::vector<FineTuningJob> out;
    impl_->read([&](storage::Connection& connection) {
        out = storage::FineTuningJobsTable(connection).with_models();
    });
    return out;
}

Listed<FineTuningJob> FineTuning::list(const Page& page,
                                       const std::map<std::string, std::string>& metadata) const {
    check_limit(page.limit);
    Listed<FineTuningJob> out;
    impl_->read([&](storage::Connection& connection) {
        auto rows = storage::FineTuningJobsTable(connection)
                        .list({page.after, page.limit, page.ascending}, metadata);
        out = {std::move(rows.rows), rows.has_more};
    });
    return out;
}

Listed<FineTuningEvent> FineTuning::events(const std::string& id, const Page& page) const {
    check_limit(page.limit);
    impl_->get(id);
    Listed<FineTuningEvent> out;
    impl_->read([&](storage::Connection& connection) {
        auto rows = storage::FineTuningEventsTable(connection)
                        .list(id, {page.after, page.limit, page.ascending});
        out = {std::move(rows.rows), rows.has_more};
    });
    return out;
}

Listed<FineTuningCheckpoint> FineTuning::checkpoints(const std::string& id,
                                                     const Page& page) const {
    check_limit(page.limit);
    impl_->get(id);
    Listed<FineTuningCheckpoint> out;
    impl_->read([&](storage::Connection& connection) {
        auto rows = storage::FineTuningCheckpointsTable(connection)
                        .list(id, {page.after, page.limit, page.ascending});
        out = {std::move(rows.rows), rows.has_more};
    });
    return out;
}

}  // namespace jikji::service
