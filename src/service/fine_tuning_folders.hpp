#pragma once
// The folders of jobs, data/training/ID: what lies there, and when it goes.
//
//   training-data, validation-data   while the job may still compute: hard links, so the bytes stay
//                                    when their upload is deleted
//   ckpt-*                           likewise
//   adapter.gguf, metrics.csv, loss.svg, job.json   of a job that has succeeded: for ever
//
// Threads  any; one job is changed by one thread at a time.
#include <filesystem>
#include <string>

#include "service/files.hpp"
#include "service/fine_tuning.hpp"

namespace jikji::service {

class FineTuningFolders {
public:
    explicit FineTuningFolders(std::filesystem::path folder);  // makes it

    const std::filesystem::path& all() const { return folder_; }
    std::filesystem::path of(const std::string& id) const { return folder_ / id; }
    std::filesystem::path training_data(const std::string& id) const;
    std::filesystem::path validation_data(const std::string& id) const;

    /// Makes the folder, with its data; nothing stays if that fails.
    void make(const FineTuningJob& job, const Files& files) const;
    void remove(const std::string& id) const;
    /// Its data and checkpoints: it can never compute again.
    void remove_means(const std::string& id) const;
    /// Removes what a job that has ended does not need: everything if it was cancelled, data and
    /// checkpoints if it can never compute again.
    void tidy(const FineTuningJob& job) const;
    /// Of a folder that the database does not know: a create() that was cut off, which has data at
    /// most, is removed. Anything more may be somebody's work, of a database that was replaced by
    /// an older copy: it stays, and the log says where.
    void sweep_unknown(const std::string& id) const;

    /// Whether resume() of a job that has failed can come to another end.
    bool may_go_on(const FineTuningJob& job) const;

private:
    std::filesystem::path folder_;
};

}  // namespace jikji::service
