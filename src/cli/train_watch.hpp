#pragma once
// What a fine-tuning job says, live: messages as lines, steps as a bar with loss, held-out loss,
// tokens a second and time left. Threads: one.
#include <memory>
#include <string>

#include "base/language.hpp"
#include "base/progress.hpp"
#include "cli/wire.hpp"
#include "http/client.hpp"

namespace jikji::cli {

inline constexpr const char* kTrainingJobs = "/v1/fine_tuning/jobs";

class TrainWatch {
public:
    /// Of a job that was resumed: what it said before stays unsaid.
    TrainWatch(std::string job, Language language, bool from_now);

    /// Until the job has ended. Throws as http::Client; then it can be called again.
    void follow(http::Client& client);

private:
    void take(const json::object& event);
    void take_step(const json::object& data);

    std::string job_;
    Language language_;
    bool from_now_;
    std::string last_;  // event that was shown
    std::unique_ptr<Progress> progress_;
    std::string held_out_;  // ", held out 2.50"
};

}  // namespace jikji::cli
