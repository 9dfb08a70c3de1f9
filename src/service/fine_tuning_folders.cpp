#include "service/fine_tuning_folders.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
namespace {

// Errors that the same data and values come to again.
constexpr std::array<std::string_view, 3> kForGood = {"training_diverged", "invalid_argument",
                                                      "unsupported_parameter"};

bool failed_for_good(const FineTuningJob& job) {
    return std::find(kForGood.begin(), kForGood.end(), job.error_code) != kForGood.end();
}

// What cannot be removed now is tried again at the next start.
void said(const std::error_code& failed, const fs::path& path) {
    if (!failed) return;
    log_warn(fmt::format("{} could not be removed: {}", path.string(), failed.message()));
}

void link_or_copy(const fs::path& from, const fs::path& to) {
    std::error_code failed;
    fs::create_hard_link(from, to, failed);
    if (!failed) return;
    fs::copy_file(from, to, failed);  // another file system
    if (failed) throw_errno(failed.value(), "copying", from);
}

}  // namespace

FineTuningFolders::FineTuningFolders(fs::path folder) : folder_(std::move(folder)) {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed) throw_errno(failed.value(), "creating", folder_);
}

fs::path FineTuningFolders::training_data(const std::string& id) const {
    return of(id) / "training-data";
}

fs::path FineTuningFolders::validation_data(const std::string& id) const {
    return of(id) / "validation-data";
}

void FineTuningFolders::make(const FineTuningJob& job, const Files& files) const {
    std::error_code failed;
    fs::create_directories(of(job.id), failed);
    if (failed) throw_errno(failed.value(), "creating", of(job.id));
    try {
        link_or_copy(files.path_of(job.training_file), training_data(job.id));
        if (job.validation_file.empty()) return;
        link_or_copy(files.path_of(job.validation_file), validation_data(job.id));
    } catch (...) {
        remove(job.id);
        throw;
    }
}

void FineTuningFolders::remove(const std::string& id) const {
    std::error_code failed;
    fs::remove_all(of(id), failed);
    said(failed, of(id));
}

void FineTuningFolders::remove_means(const std::string& id) const {
    std::error_code failed;
    std::vector<fs::path> means{training_data(id), validation_data(id)};
    for (const auto& entry : fs::directory_iterator(of(id), failed)) {
        if (entry.path().filename().string().starts_with("ckpt-")) means.push_back(entry.path());
    }
    for (const fs::path& path : means) {
        fs::remove(path, failed);
        said(failed, path);
    }
}

void FineTuningFolders::tidy(const FineTuningJob& job) const {
    if (job.status == "cancelled") return remove(job.id);
    const bool failed = job.status == "failed" && failed_for_good(job);
    if (job.status == "succeeded" || failed) remove_means(job.id);
}

void FineTuningFolders::sweep_unknown(const std::string& id) const {
    std::error_code unreadable;
    const auto holds = [&](const char* name) {
        return fs::exists(of(id) / name, unreadable) || unreadable;
    };
    const bool adapter = holds("adapter.gguf");
    if (!adapter && !holds("job.json")) return remove(id);
    log_warn(
        fmt::format("the database knows no job of {}, which is left as it is: if the database "
                    "is an older copy, put the newer one back{}; remove the folder if nobody "
                    "needs it",
                    of(id).string(),
                    adapter ? fmt::format(", or take the adapter out with jikji models "
                                          "export-adapter {}",
                                          id)
                            : ""));
}

bool FineTuningFolders::may_go_on(const FineTuningJob& job) const {
    std::error_code unreadable;
    return !failed_for_good(job) && fs::exists(training_data(job.id), unreadable);
}

}  // namespace jikji::service
