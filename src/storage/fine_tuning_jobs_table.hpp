#pragma once
// Fine-tuning jobs: what was asked for, how it goes, how it ended. Make one inside Database::read
// or Database::write.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/connection.hpp"
#include "storage/page.hpp"

namespace jikji::storage {

struct FineTuningJobRow {
    std::string id;
    std::int64_t created_at = 0;
    std::string status = "queued";
    bool paused = false;
    int crashes = 0;  // of its process since the last checkpoint

    std::string model;  // the base
    std::string base_sha256;
    std::int64_t base_bytes = 0;       // of the base's file when that was computed
    std::int64_t base_changed_ns = 0;  // likewise, by the file system's clock

    // Names of what may have been deleted meanwhile.
    std::string training_file, training_name;
    std::string validation_file, validation_name;  // may be empty

    std::string suffix;
    std::int64_t seed = 0;
    int epochs = 0;
    int batch_size = 0;
    double learning_rate = 0;
    int warmup_steps = -1;  // -1 = not chosen yet
    int rank = 0;
    double alpha = 0;
    double dropout = 0;
    std::string targets;  // "q_proj,v_proj"
    double held_out = 0;
    std::string template_name;
    int max_length = 0;
    std::string template_used;  // model, alpaca or none; empty = not chosen yet
    int length_used = 0;        // tokens; 0 = not chosen yet

    std::int64_t steps_total = 0;
    std::int64_t steps_done = 0;
    std::int64_t samples = 0;
    std::int64_t held_out_samples = 0;
    std::int64_t trained_tokens = 0;
    std::int64_t estimated_finish = 0;  // 0 = not known
    std::optional<double> train_loss, held_out_loss, base_loss;
    bool worse_than_base = false;

    std::int64_t finished_at = 0;  // 0 = it has not
    std::string fine_tuned_model;
    bool model_removed = false;
    std::vector<std::string> result_files;
    std::string error_code, error_message, error_korean, error_param;

    std::map<std::string, std::string> metadata;
    bool training_file_there = true;  // read only
};

class FineTuningJobsTable {
public:
    explicit FineTuningJobsTable(Connection& connection) : connection_(connection) {}

    void insert(const FineTuningJobRow& row);  // with its metadata
    /// All but id, metadata, and what was asked for (warmup_steps may be chosen later).
    void update(const FineTuningJobRow& row);
    std::optional<FineTuningJobRow> get(const std::string& id) const;
    /// Those with all these pairs of metadata. Error(kInvalidArgument, "after") if page.after is
    /// unknown.
    PageOf<FineTuningJobRow> list(const PageRequest& page,
                                  const std::map<std::string, std::string>& metadata) const;

    /// The next that is to compute: one that was at it before, else the oldest; none that pauses.
    std::optional<FineTuningJobRow> next_to_do() const;
    std::optional<FineTuningJobRow> find_by_model(const std::string& fine_tuned_model) const;
    /// That have a model which was not removed.
    std::vector<FineTuningJobRow> with_models() const;

private:
    void read_metadata(FineTuningJobRow& row) const;

    Connection& connection_;
};

}  // namespace jikji::storage
