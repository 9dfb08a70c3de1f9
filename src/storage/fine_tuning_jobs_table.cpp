#include "storage/fine_tuning_jobs_table.hpp"

#include <algorithm>

#include "storage/list_query.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

constexpr std::string_view kSelect = R"sql(
    SELECT j.id, j.created_at, j.status, j.paused, j.crashes, j.model, j.base_sha256, j.base_bytes,
        j.base_changed_ns, j.training_file, j.training_name, j.validation_file, j.validation_name,
        j.suffix, j.seed, j.epochs, j.batch_size, j.learning_rate, j.warmup_steps, j.rank, j.alpha,
        j.dropout, j.targets, j.held_out, j.template, j.max_length, j.steps_total, j.steps_done,
        j.samples, j.held_out_samples, j.trained_tokens, j.estimated_finish, j.train_loss,
        j.held_out_loss, j.base_loss, j.worse_than_base, j.finished_at, j.fine_tuned_model,
        j.model_removed, j.result_files, j.error_code, j.error_message, j.error_korean,
        j.error_param, j.template_used, j.length_used,
        EXISTS (SELECT 1 FROM files f WHERE f.id = j.training_file)
    FROM fine_tuning_jobs j )sql";

/// Columns of a row, one after the other.
class Reader {
public:
    explicit Reader(const Statement& row) : row_(row) {}
    Reader& operator>>(std::string& out) {
        out = row_.text_at(column_++);
        return *this;
    }
    Reader& operator>>(std::int64_t& out) {
        out = row_.int64_at(column_++);
        return *this;
    }
    Reader& operator>>(int& out) {
        out = row_.int_at(column_++);
        return *this;
    }
    Reader& operator>>(bool& out) {
        out = row_.int64_at(column_++) != 0;
        return *this;
    }
    Reader& operator>>(double& out) {
        out = row_.double_at(column_++);
        return *this;
    }
    Reader& operator>>(std::optional<double>& out) {
        if (!row_.null_at(column_)) out = row_.double_at(column_);
        ++column_;
        return *this;
    }
    Reader& operator>>(std::vector<std::string>& out) {
        std::string_view lines = row_.text_view_at(column_++);
        while (!lines.empty()) {
            const std::size_t end = std::min(lines.find('\n'), lines.size());
            out.emplace_back(lines.substr(0, end));
            lines.remove_prefix(std::min(end + 1, lines.size()));
        }
        return *this;
    }

private:
    const Statement& row_;
    int column_ = 0;
};

FineTuningJobRow row_of(const Statement& statement) {
    FineTuningJobRow r;
    Reader in(statement);
    in >> r.id >> r.created_at >> r.status >> r.paused >> r.crashes >> r.model >> r.base_sha256 >>
        r.base_bytes >> r.base_changed_ns >> r.training_file >> r.training_name >>
        r.validation_file >> r.validation_name >> r.suffix >> r.seed >> r.epochs >> r.batch_size >>
        r.learning_rate >> r.warmup_steps >> r.rank >> r.alpha >> r.dropout >> r.targets >>
        r.held_out >> r.template_name >> r.max_length >> r.steps_total >> r.steps_done >>
        r.samples >> r.held_out_samples >> r.trained_tokens >> r.estimated_finish >> r.train_loss >>
        r.held_out_loss >> r.base_loss >> r.worse_than_base >> r.finished_at >>
        r.fine_tuned_model >> r.model_removed >> r.result_files >> r.error_code >>
        r.error_message >> r.error_korean >> r.error_param >> r.template_used >> r.length_used >>
        r.training_file_there;
    return r;
}

void bind_optional(Statement& statement, int parameter, const std::optional<double>& value) {
    if (value) {
        statement.bind(parameter, *value);
    } else {
        statement.bind_null(parameter);
    }
}

std::string lines_of(const std::vector<std::string>& items) {
    std::string out;
    for (const std::string& item : items) out.append(item).append(1, '\n');
    return out;
}

}  // namespace

void FineTuningJobsTable::insert(const FineTuningJobRow& row) {
    Statement insert(connection_, R"sql(
        INSERT INTO fine_tuning_jobs (id, created_at, status, model, training_file, training_name,
            validation_file, validation_name, suffix, seed, epochs, batch_size, learning_rate,
            warmup_steps, rank, alpha, dropout, targets, held_out, template, max_length)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
            ?19, ?20, ?21))sql");
    insert.bind(1, row.id).bind(2, row.created_at).bind(3, row.status).bind(4, row.model);
    insert.bind(5, row.training_file).bind(6, row.training_name);
    insert.bind(7, row.validation_file).bind(8, row.validation_name).bind(9, row.suffix);
    insert.bind(10, row.seed).bind(11, row.epochs).bind(12, row.batch_size);
    insert.bind(13, row.learning_rate).bind(14, row.warmup_steps).bind(15, row.rank);
    insert.bind(16, row.alpha).bind(17, row.dropout).bind(18, row.targets).bind(19, row.held_out);
    insert.bind(20, row.template_name).bind(21, row.max_length).run();
    const std::int64_t seq = connection_.last_row_id();
    Statement pair(connection_,
                   "INSERT INTO fine_tuning_metadata (job, key, value) VALUES (?1, ?2, ?3)");
    for (const auto& [key, value] : row.metadata) {
        pair.bind(1, seq).bind(2, key).bind(3, value).run();
    }
}

void FineTuningJobsTable::update(const FineTuningJobRow& row) {
    Statement update(connection_, R"sql(
        UPDATE fine_tuning_jobs SET status = ?2, paused = ?3, crashes = ?4, base_sha256 = ?5,
            base_bytes = ?6, base_changed_ns = ?7, steps_total = ?8, steps_done = ?9, samples = ?10,
            held_out_samples = ?11, trained_tokens = ?12, estimated_finish = ?13, train_loss = ?14,
            held_out_loss = ?15, base_loss = ?16, worse_than_base = ?17, finished_at = ?18,
            fine_tuned_model = ?19, model_removed = ?20, result_files = ?21, error_code = ?22,
            error_message = ?23, error_korean = ?24, error_param = ?25, warmup_steps = ?26,
            template_used = ?27, length_used = ?28
        WHERE id = ?1)sql");
    update.bind(1, row.id).bind(2, row.status).bind(3, row.paused).bind(4, row.crashes);
    update.bind(5, row.base_sha256).bind(6, row.base_bytes).bind(7, row.base_changed_ns);
    update.bind(8, row.steps_total).bind(9, row.steps_done).bind(10, row.samples);
    update.bind(11, row.held_out_samples).bind(12, row.trained_tokens);
    update.bind(13, row.estimated_finish);
    bind_optional(update, 14, row.train_loss);
    bind_optional(update, 15, row.held_out_loss);
    bind_optional(update, 16, row.base_loss);
    update.bind(17, row.worse_than_base).bind(18, row.finished_at).bind(19, row.fine_tuned_model);
    update.bind(20, row.model_removed).bind(21, lines_of(row.result_files));
    update.bind(22, row.error_code).bind(23, row.error_message).bind(24, row.error_korean);
    update.bind(25, row.error_param).bind(26, row.warmup_steps);
    update.bind(27, row.template_used).bind(28, row.length_used).run();
}

void FineTuningJobsTable::read_metadata(FineTuningJobRow& row) const {
    Statement select(connection_, R"sql(
        SELECT key, value FROM fine_tuning_metadata
        WHERE job = (SELECT seq FROM fine_tuning_jobs WHERE id = ?1))sql");
    select.bind(1, row.id);
    while (select.step()) row.metadata[select.text_at(0)] = select.text_at(1);
}

std::optional<FineTuningJobRow> FineTuningJobsTable::get(const std::string& id) const {
    Statement select(connection_, std::string(kSelect) + "WHERE j.id = ?1");
    if (!select.bind(1, id).step()) return std::nullopt;
    FineTuningJobRow row = row_of(select);
    read_metadata(row);
    return row;
}

PageOf<FineTuningJobRow> FineTuningJobsTable::list(
    const PageRequest& page, const std::map<std::string, std::string>& metadata) const {
    Statement position(connection_, "SELECT seq FROM fine_tuning_jobs WHERE id = ?1");
    const std::int64_t after = position_after(position.bind(1, page.after), page);
    std::string wanted = "WHERE true";
    for (std::size_t i = 0; i < metadata.size(); ++i) {
        wanted +=
            " AND EXISTS (SELECT 1 FROM fine_tuning_metadata m WHERE m.job = j.seq AND "
            "m.key = ?" +
            std::to_string(3 + 2 * i) + " AND m.value = ?" + std::to_string(4 + 2 * i) + ")";
    }
    Statement select(connection_, std::string(kSelect) + wanted + page_clause("j.seq", page));
    int parameter = 3;
    for (const auto& [key, value] : metadata) {
        select.bind(parameter, key).bind(parameter + 1, value);
        parameter += 2;
    }
    auto out = read_page<FineTuningJobRow>(bind_page(select, page, after), page, row_of);
    for (FineTuningJobRow& row : out.rows) read_metadata(row);
    return out;
}

std::optional<FineTuningJobRow> FineTuningJobsTable::next_to_do() const {
    Statement select(connection_, std::string(kSelect) +
                                      "WHERE j.status IN ('queued', 'running') AND j.paused = 0 "
                                      "ORDER BY j.status = 'queued', j.seq LIMIT 1");
    if (!select.step()) return std::nullopt;
    return row_of(select);
}

std::optional<FineTuningJobRow> FineTuningJobsTable::find_by_model(
    const std::string& fine_tuned_model) const {
    Statement select(connection_, std::string(kSelect) + "WHERE j.fine_tuned_model = ?1");
    if (fine_tuned_model.empty() || !select.bind(1, fine_tuned_model).step()) return std::nullopt;
    return row_of(select);
}

std::vector<FineTuningJobRow> FineTuningJobsTable::with_models() const {
    Statement select(connection_,
                     std::string(kSelect) +
                         "WHERE j.fine_tuned_model <> '' AND j.model_removed = 0 ORDER BY j.seq");
    std::vector<FineTuningJobRow> out;
    while (select.step()) out.push_back(row_of(select));
    return out;
}

}  // namespace jikji::storage
