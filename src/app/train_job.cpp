#include "app/train_job.hpp"

#include "training/job.hpp"

namespace jikji::app {

int train_job(const std::filesystem::path& folder,
              const std::function<void(std::string_view line)>& say,
              const std::atomic<bool>& stop) {
    try {
        training::run_job(
            folder, [&say](const training::JobEvent& event) { say(training::to_line(event)); },
            stop);
        return 0;
    } catch (const std::exception& cause) {
        say(training::to_line(training::error_event(cause)));
        return 1;
    }
}

}  // namespace jikji::app
