#pragma once
// What happened in fine-tuning jobs, and the checkpoints that they wrote. Make one inside
// Database::read or Database::write.
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "storage/connection.hpp"
#include "storage/page.hpp"

namespace jikji::storage {

using Metrics = std::map<std::string, double>;

struct FineTuningEventRow {
    std::string id;
    std::int64_t created_at = 0;
    std::string level = "info";  // info, warn, error
    std::string message;
    std::string korean;
    Metrics metrics;  // of a step or an evaluation; empty for a message
};

class FineTuningEventsTable {
public:
    explicit FineTuningEventsTable(Connection& connection) : connection_(connection) {}

    void insert(const std::string& job, const FineTuningEventRow& row);  // requires: the job exists
    /// Error(kInvalidArgument, "after") if page.after is no event of this job.
    PageOf<FineTuningEventRow> list(const std::string& job, const PageRequest& page) const;

private:
    Connection& connection_;
};

struct FineTuningCheckpointRow {
    std::string id;
    std::int64_t created_at = 0;
    std::int64_t step = 0;
    Metrics metrics;
};

class FineTuningCheckpointsTable {
public:
    explicit FineTuningCheckpointsTable(Connection& connection) : connection_(connection) {}

    /// Requires: the job exists. In the place of one of the same step.
    void insert(const std::string& job, const FineTuningCheckpointRow& row);
    PageOf<FineTuningCheckpointRow> list(const std::string& job, const PageRequest& page) const;

private:
    Connection& connection_;
};

}  // namespace jikji::storage
