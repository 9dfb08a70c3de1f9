#include "storage/fine_tuning_events_table.hpp"

#include <algorithm>
#include <charconv>

#include "storage/list_query.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

// The shortest text that reads back as the same value.
std::string text_of(const Metrics& metrics) {
    std::string out;
    for (const auto& [name, value] : metrics) {
        char number[32];
        const auto end = std::to_chars(number, number + sizeof number, value).ptr;
        out += name + '=' + std::string(number, end) + '\n';
    }
    return out;
}

Metrics metrics_of(std::string_view text) {
    Metrics out;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        const std::size_t equals = line.find('=');
        if (equals != std::string_view::npos) {
            double value = 0;
            std::from_chars(line.data() + equals + 1, line.data() + line.size(), value);
            out[std::string(line.substr(0, equals))] = value;
        }
        text.remove_prefix(std::min(line.size() + 1, text.size()));
    }
    return out;
}

FineTuningEventRow event_of(const Statement& row) {
    return {row.text_at(0), row.int64_at(1), row.text_at(2),
            row.text_at(3), row.text_at(4),  metrics_of(row.text_view_at(5))};
}

FineTuningCheckpointRow checkpoint_of(const Statement& row) {
    return {row.text_at(0), row.int64_at(1), row.int64_at(2), metrics_of(row.text_view_at(3))};
}

/// Of a page of `table`, whose rows belong to a job.
std::int64_t after_in(Connection& connection, const std::string& table, const std::string& job,
                      const PageRequest& page) {
    Statement position(connection, "SELECT t.seq FROM " + table +
                                       " t JOIN fine_tuning_jobs j ON j.seq = t.job "
                                       "WHERE t.id = ?1 AND j.id = ?2");
    return position_after(position.bind(1, page.after).bind(2, job), page);
}

}  // namespace

void FineTuningEventsTable::insert(const std::string& job, const FineTuningEventRow& row) {
    Statement insert(connection_, R"sql(
        INSERT INTO fine_tuning_events (job, id, created_at, level, message, korean, metrics)
        SELECT seq, ?2, ?3, ?4, ?5, ?6, ?7 FROM fine_tuning_jobs WHERE id = ?1)sql");
    insert.bind(1, job).bind(2, row.id).bind(3, row.created_at).bind(4, row.level);
    insert.bind(5, row.message).bind(6, row.korean).bind(7, text_of(row.metrics)).run();
    JIKJI_CHECK(connection_.changes() == 1);
}

PageOf<FineTuningEventRow> FineTuningEventsTable::list(const std::string& job,
                                                       const PageRequest& page) const {
    const std::int64_t after = after_in(connection_, "fine_tuning_events", job, page);
    Statement select(connection_,
                     "SELECT t.id, t.created_at, t.level, t.message, t.korean, t.metrics "
                     "FROM fine_tuning_events t "
                     "WHERE t.job = (SELECT seq FROM fine_tuning_jobs WHERE id = ?3)" +
                         page_clause("t.seq", page));
    select.bind(3, job);
    return read_page<FineTuningEventRow>(bind_page(select, page, after), page, event_of);
}

void FineTuningCheckpointsTable::insert(const std::string& job,
                                        const FineTuningCheckpointRow& row) {
    Statement insert(connection_, R"sql(
        INSERT OR REPLACE INTO fine_tuning_checkpoints (job, id, created_at, step, metrics)
        SELECT seq, ?2, ?3, ?4, ?5 FROM fine_tuning_jobs WHERE id = ?1)sql");
    insert.bind(1, job).bind(2, row.id).bind(3, row.created_at).bind(4, row.step);
    insert.bind(5, text_of(row.metrics)).run();
    JIKJI_CHECK(connection_.changes() > 0);
}

PageOf<FineTuningCheckpointRow> FineTuningCheckpointsTable::list(const std::string& job,
                                                                 const PageRequest& page) const {
    const std::int64_t after = after_in(connection_, "fine_tuning_checkpoints", job, page);
    Statement select(connection_,
                     "SELECT t.id, t.created_at, t.step, t.metrics "
                     "FROM fine_tuning_checkpoints t "
                     "WHERE t.job = (SELECT seq FROM fine_tuning_jobs WHERE id = ?3)" +
                         page_clause("t.seq", page));
    select.bind(3, job);
    return read_page<FineTuningCheckpointRow>(bind_page(select, page, after), page, checkpoint_of);
}

}  // namespace jikji::storage
