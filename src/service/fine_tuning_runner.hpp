#pragma once
// Computes the jobs of the queue, one at a time, each in a process of its own: a crash there, or
// the kernel's wish for its memory, never touches the server. It is tried once more from its last
// checkpoint then.
//
// A full disk ends nothing that computes: what the process says is kept and written when there is
// room again, which is said once.
//
// Threads  one of its own; the methods may be called from any.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/child.hpp"
#include "base/error.hpp"
#include "service/files.hpp"
#include "service/fine_tuning.hpp"
#include "service/fine_tuning_folders.hpp"
#include "service/fine_tuning_models.hpp"
#include "service/fine_tuning_progress.hpp"

namespace jikji::service {

inline constexpr const char* kResultPurpose = "fine-tune-results";  // of the files of a job

class FineTuningRunner {
public:
    FineTuningRunner(storage::Database& database, Files& files, FineTunedModels& models,
                     const FineTuningFolders& folders, FineTuningOptions options);
    ~FineTuningRunner();  // stop(), and waits a while

    /// Asks the process to write a checkpoint, and starts nothing any more; does not wait.
    void stop();
    bool stopping() const;
    void wake();  // there may be something to do
    /// Ends the process of that job, if it is the one at work: with a checkpoint, or at once. False
    /// if it is not; else its folder is tidied after that.
    bool end(const std::string& id, ChildWish how);
    std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
    void changed() { changes_.fetch_add(1, std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;
    struct Ended {  // how a process did
        ChildResult result;
        std::optional<training::JobEvent> last;  // done, stopped or error; none: it crashed
    };

    void run();
    bool take_next();  // false: nothing to do
    void leave();      // the job at work, and tidies its folder
    void work(const FineTuningJob& job);
    FineTuningJob begin(const FineTuningJob& job);
    void write_spec(const FineTuningJob& job) const;
    Ended compute(const FineTuningJob& job);
    ChildWish wish();
    void hear(Ended& ended, std::string_view line);
    void write_down(bool at_once);

    void finish(const FineTuningJob& job, const Ended& ended);
    void succeed(const FineTuningJob& job, const training::DoneEvent& done);
    void stopped(const FineTuningJob& job, const training::StoppedEvent& event);
    void crashed(const FineTuningJob& job, const ChildResult& result);
    void fail(const std::string& id, const training::ErrorEvent& error);
    std::vector<std::string> keep_results(const FineTuningJob& job) const;
    void drop_results(const std::vector<std::string>& ids) const;
    void pause(std::chrono::milliseconds time);

    /// Does it again, as often as the disk is full, until the server is being stopped.
    void patiently(const std::function<void()>& work);
    void disk_is_full(const Error& error);  // says so once
    std::optional<FineTuningJob> change(const std::string& id,
                                        const std::function<void(FineTuningChange&)>& edit);

    storage::Database& database_;
    Files& files_;
    FineTunedModels& models_;
    const FineTuningFolders& folders_;
    FineTuningOptions options_;
    std::atomic<std::uint64_t> changes_{0};

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    bool woken_ = false;
    std::string current_;  // the job at work
    ChildWish wish_ = ChildWish::kGoOn;
    Clock::time_point kill_at_ = Clock::time_point::max();

    // Of the thread alone.
    std::vector<training::JobEvent> heard_;  // not written yet
    Clock::time_point write_at_{};
    bool full_ = false;  // the disk was, when something was to be written last
    int held_ = 0;       // times that another process had the job's folder

    std::thread thread_;  // last: it uses all of the above
};

}  // namespace jikji::service
