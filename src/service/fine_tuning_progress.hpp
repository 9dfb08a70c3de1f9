#pragma once
// What a training process says, as rows and sentences. Threads: any.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "service/fine_tuning.hpp"
#include "training/job_events.hpp"

namespace jikji::storage {
class Database;
}

namespace jikji::service {

/// What becomes of a job in one transaction.
struct FineTuningChange {
    FineTuningJob& job;
    std::vector<FineTuningEvent> events{};
    std::vector<FineTuningCheckpoint> checkpoints{};

    void say(std::string level, std::string english, std::string korean);
};

/// Reads the job, lets `edit` change it, and writes it with its events. What edit throws is passed
/// on; nothing is written then. Nothing if there is no such job.
std::optional<FineTuningJob> change_job(storage::Database& database, const std::string& id,
                                        const std::function<void(FineTuningChange&)>& edit);

/// Everything but the end, which is done, stopped and error.
void take_in(const training::JobEvent& event, FineTuningChange& change);

/// "3 min 20 s"; "3분 20초".
std::string time_for_people(double seconds, bool korean);

}  // namespace jikji::service
