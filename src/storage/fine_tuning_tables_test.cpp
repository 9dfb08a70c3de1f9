#include <doctest/doctest.h>

#include "base/error.hpp"
#include "storage/database.hpp"
#include "storage/files_table.hpp"
#include "storage/fine_tuning_events_table.hpp"
#include "storage/fine_tuning_jobs_table.hpp"
#include "support/temp_folder.hpp"

namespace jikji::storage {
namespace {

FineTuningJobRow job(const std::string& id) {
    FineTuningJobRow row;
    row.id = id;
    row.created_at = 1'700'000'000;
    row.model = "base";
    row.training_file = "file-1";
    row.training_name = "자료.jsonl";
    row.suffix = "나의-모델";
    row.seed = 42;
    row.epochs = 3;
    row.batch_size = 4;
    row.learning_rate = 3e-4;
    row.warmup_steps = 100;
    row.rank = 8;
    row.alpha = 16;
    row.dropout = 0.05;
    row.targets = "q_proj,v_proj";
    row.held_out = 0.1;
    row.template_name = "auto";
    row.metadata = {{"팀", "연구"}, {"k", id}};
    return row;
}

}  // namespace

TEST_SUITE_BEGIN("fine_tuning_tables");

TEST_CASE("a job keeps what was asked for, and takes what happens") {
    const tests::TempFolder folder;
    Database database(folder / "t.db");
    FineTuningJobRow row = job("ftjob-1");
    database.write([&](Connection& c) { FineTuningJobsTable(c).insert(row); });
    row.status = "succeeded";
    row.steps_total = row.steps_done = 9;
    row.train_loss = 1.25;
    row.template_used = "model";
    row.length_used = 1024;
    row.fine_tuned_model = "ft:base:local:나의-모델:1";
    row.result_files = {"file-7", "file-8"};
    database.write([&](Connection& c) { FineTuningJobsTable(c).update(row); });
    database.read([&](Connection& c) {
        const FineTuningJobsTable jobs(c);
        const auto got = jobs.get("ftjob-1");
        REQUIRE(got);
        CHECK(got->training_name == "자료.jsonl");
        CHECK(got->suffix == "나의-모델");
        CHECK(got->learning_rate == 3e-4);
        CHECK(got->dropout == 0.05);
        CHECK((got->metadata == row.metadata));
        CHECK(got->train_loss == 1.25);
        CHECK(got->template_name == "auto");  // as it was asked for
        CHECK(got->template_used == "model");
        CHECK(got->length_used == 1024);
        CHECK_FALSE(got->held_out_loss);
        CHECK((got->result_files == row.result_files));
        CHECK_FALSE(got->training_file_there);
        CHECK(jobs.find_by_model(row.fine_tuned_model)->id == "ftjob-1");
        CHECK_FALSE(jobs.find_by_model(""));
        CHECK(jobs.with_models().size() == 1);
        CHECK_FALSE(jobs.get("ftjob-2"));
    });
    row.model_removed = true;
    database.write([&](Connection& c) {
        FineTuningJobsTable(c).update(row);
        FilesTable(c).insert({"file-1", "자료.jsonl", "fine-tune", 1, 0, "00"});
    });
    database.read([&](Connection& c) {
        CHECK(FineTuningJobsTable(c).with_models().empty());
        CHECK(FineTuningJobsTable(c).get("ftjob-1")->training_file_there);
    });
}

TEST_CASE("jobs that computed before go first, then the oldest; paused ones wait") {
    const tests::TempFolder folder;
    Database database(folder / "t.db");
    std::map<std::string, FineTuningJobRow> rows;
    database.write([&](Connection& c) {
        for (const char* id : {"a", "b", "c"}) {
            FineTuningJobsTable(c).insert(rows[id] = job(id));
        }
    });
    const auto change = [&](const char* id, const char* status, bool paused) {
        rows[id].status = status;
        rows[id].paused = paused;
        database.write([&](Connection& c) { FineTuningJobsTable(c).update(rows[id]); });
    };
    const auto next = [&] {
        std::string id;
        database.read([&](Connection& c) {
            const auto row = FineTuningJobsTable(c).next_to_do();
            if (row) id = row->id;
        });
        return id;
    };
    CHECK(next() == "a");
    change("b", "running", false);
    CHECK(next() == "b");
    change("b", "running", true);
    CHECK(next() == "a");
    change("a", "cancelled", false);
    CHECK(next() == "c");
    change("c", "failed", false);
    CHECK(next().empty());
}

TEST_CASE("jobs in pages, by metadata") {
    const tests::TempFolder folder;
    Database database(folder / "t.db");
    database.write([&](Connection& c) {
        for (const char* id : {"a", "b", "c"}) FineTuningJobsTable(c).insert(job(id));
    });
    database.read([&](Connection& c) {
        const FineTuningJobsTable jobs(c);
        const auto first = jobs.list({.limit = 2}, {});
        REQUIRE(first.rows.size() == 2);
        CHECK(first.rows[0].id == "c");
        CHECK(first.has_more);
        const auto rest = jobs.list({.after = "b", .limit = 2}, {{"팀", "연구"}});
        REQUIRE(rest.rows.size() == 1);
        CHECK(rest.rows[0].id == "a");
        CHECK_FALSE(rest.has_more);
        CHECK(jobs.list({}, {{"팀", "연구"}, {"k", "b"}}).rows.size() == 1);
        CHECK(jobs.list({}, {{"k", "none"}}).rows.empty());
        CHECK_THROWS_AS(jobs.list({.after = "x"}, {}), Error);
    });
}

TEST_CASE("events newest first, with their figures to the last bit; checkpoints one a step") {
    const tests::TempFolder folder;
    Database database(folder / "t.db");
    database.write([&](Connection& c) {
        FineTuningJobsTable(c).insert(job("a"));
        FineTuningJobsTable(c).insert(job("b"));
        FineTuningEventsTable events(c);
        events.insert("a", {"e1", 1, "info", "begins", "시작", {}});
        events.insert("b", {"e2", 1, "info", "other", "다른 것", {}});
        events.insert("a", {"e3", 2, "warn", "step", "단계", {{"step", 1}, {"train_loss", 0.1}}});
        FineTuningCheckpointsTable checkpoints(c);
        checkpoints.insert("a", {"k1", 1, 5, {{"train_loss", 2}}});
        checkpoints.insert("a", {"k2", 2, 5, {{"train_loss", 1.0 / 3}}});
        checkpoints.insert("a", {"k3", 3, 9, {}});
    });
    database.read([&](Connection& c) {
        const FineTuningEventsTable events(c);
        const auto page = events.list("a", {});
        REQUIRE(page.rows.size() == 2);
        CHECK(page.rows[0].id == "e3");
        CHECK(page.rows[0].metrics.at("train_loss") == 0.1);
        CHECK(page.rows[1].korean == "시작");
        CHECK(page.rows[1].metrics.empty());
        CHECK(events.list("a", {.after = "e1", .ascending = true}).rows.at(0).id == "e3");
        CHECK_THROWS_AS(events.list("a", {.after = "e2"}), Error);
        const auto kept = FineTuningCheckpointsTable(c).list("a", {});
        REQUIRE(kept.rows.size() == 2);
        CHECK(kept.rows[0].step == 9);
        CHECK(kept.rows[1].id == "k2");
        CHECK(kept.rows[1].metrics.at("train_loss") == 1.0 / 3);
    });
    CHECK_THROWS_AS(
        database.write([&](Connection& c) { FineTuningEventsTable(c).insert("none", {}); }), Error);
}

TEST_SUITE_END();

}  // namespace jikji::storage
