#pragma once
// What S15 asks for, kept over a restart: requests, tokens, response times. Threads: any.
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace jikji::metrics {
class Registry;
}
namespace jikji::storage {
class Database;
}

namespace jikji::service {

struct StatsTotals {
    std::int64_t requests = 0;  // generations that ended, well or not
    std::int64_t failed = 0;
    std::int64_t cancelled = 0;
    std::int64_t cache_hits = 0;
    std::int64_t prompt_tokens = 0;
    std::int64_t completion_tokens = 0;
    double seconds = 0;  // sum of response times

    double average_seconds() const {
        return requests > 0 ? seconds / static_cast<double>(requests) : 0;
    }
    double tokens_per_second() const {
        return seconds > 0 ? static_cast<double>(completion_tokens) / seconds : 0;
    }
};

struct GenerationOutcome {
    std::string model;
    enum class End { kDone, kFailed, kCancelled } end = End::kDone;
    bool cache_hit = false;
    int prompt_tokens = 0;
    int cached_tokens = 0;
    int completion_tokens = 0;
    double seconds = 0;
    double first_token_seconds = 0;  // 0 if there was none
};

class Stats {
public:
    /// Loads the totals of earlier runs. `registry` gets the same figures as Prometheus metrics.
    Stats(storage::Database& database, metrics::Registry& registry);
    ~Stats();  // saves
    void count(const GenerationOutcome& outcome);
    StatsTotals totals() const;
    void save();  // also called every few seconds by app

private:
    storage::Database& database_;
    metrics::Registry& registry_;
    mutable std::mutex mutex_;
    StatsTotals totals_;
    bool changed_ = false;
};

}  // namespace jikji::service
