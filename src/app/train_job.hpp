#pragma once
// The work of `jikji train-job`: one training job, in a process of its own, so that its memory goes
// with it and a crash touches nobody. Threads: one at a time; all cores compute.
#include <atomic>
#include <filesystem>
#include <functional>
#include <string_view>

namespace jikji::app {

/// training::run_job(); `say` gets each event as a line of JSON without its end. Errors are told as
/// an event as well. The exit code: 0 if the job is done or was stopped, 1 after an error.
int train_job(const std::filesystem::path& folder,
              const std::function<void(std::string_view line)>& say, const std::atomic<bool>& stop);

}  // namespace jikji::app
