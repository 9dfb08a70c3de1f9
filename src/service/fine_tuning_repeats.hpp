#pragma once
// Requests that a client sends again because it had no answer: they mean the job of the first one,
// which may still be being checked. Threads: any.
#include <condition_variable>
#include <list>
#include <mutex>

#include "service/fine_tuning.hpp"

namespace jikji::service {

/// Whether two jobs were asked for in the same words.
bool asked_alike(const FineTuningJob& a, const FineTuningJob& b);

class FineTuningRepeats {
public:
    /// While it lives, create() is at work on that job.
    class Making {
    public:
        ~Making();
        Making(const Making&) = delete;
        Making& operator=(const Making&) = delete;

    private:
        friend class FineTuningRepeats;
        Making(FineTuningRepeats& all, std::list<FineTuningJob>::iterator job)
            : all_(all), job_(job) {}

        FineTuningRepeats& all_;
        std::list<FineTuningJob>::iterator job_;
    };

    /// If the request is `repeated`, waits until nobody is at work on one that asks alike: what it
    /// made is in the database then.
    Making begin(const FineTuningJob& job, bool repeated);

private:
    std::mutex mutex_;
    std::condition_variable done_;
    std::list<FineTuningJob> made_now_;
};

}  // namespace jikji::service
