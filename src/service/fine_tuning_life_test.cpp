// What becomes of fine-tuning jobs and their files when something goes wrong: a run that diverges,
// a full disk, a cancel, a crash, a base that is touched, a server that is being stopped.
#include <doctest/doctest.h>

#include <fstream>
#include <thread>

#include "base/file.hpp"
#include "service/fine_tuning.hpp"
#include "service/fine_tuning_models.hpp"
#include "storage/connection.hpp"
#include "support/captured_log.hpp"
#include "support/fine_tuning_house.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using tests::CapturedLog;
using tests::caught;
using tests::House;
using tests::kAll;
using tests::kDone;
using tests::kPrepared;
using tests::kStep;
using tests::kUntilAsked;

namespace {

std::string error_line(const std::string& code) {
    return "echo '{\"event\":\"error\",\"code\":\"" + code +
           "\",\"field\":\"learning_rate\",\"message\":\"step 3, inner words\","
           "\"korean\":\"3단계, 안쪽 말\"}'; exit 1\n";
}

void write(const fs::path& file, const std::string& text = "x") {
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

std::vector<FileObject> results(const House& house) {
    return house.files->list({.limit = 100}, "fine-tune-results").items;
}

std::ptrdiff_t folders(const House& house) {
    return std::distance(fs::directory_iterator(house.path() / "training"), {});
}

/// The models as the runner has them, and a job whose adapter lies there.
struct Models {
    explicit Models(House& house)
        : adapter(house.path() / "training" / "ftjob-mine" / "adapter.gguf"),
          models(*house.engine, {house.path() / "training", house.path() / "models", {}}) {
        write(adapter);
        job.id = "ftjob-mine";
        job.model = "tiny";
        job.base_sha256 = models.base("tiny").sha256;
    }
    fs::path adapter;
    FineTunedModels models;
    FineTuningJob job;
};

}  // namespace

TEST_SUITE_BEGIN("fine_tuning_life");

TEST_CASE("a run that diverged says so, and is not tried again") {
    House house;
    house.child("printf x > ckpt-1.gguf\n" + error_line("training_diverged"));
    const std::string id = house.tuning->create(house.request()).id;
    const FineTuningJob job = house.wait_for_end(id);
    CHECK(job.error_code == "training_diverged");
    CHECK(job.error_message == "step 3, inner words");
    CHECK(job.error_korean == "3단계, 안쪽 말");
    CHECK(job.error_param == "learning_rate");
    CHECK(house.goes(house.tuning->folder_of(id) / "training-data"));
    CHECK(house.goes(house.tuning->folder_of(id) / "ckpt-1.gguf"));
    const Error error = caught([&] { house.tuning->resume(id); });
    CHECK(error.code() == ErrorCode::kInvalidArgument);
    CHECK(std::string(error.what()).find("start a new job") != std::string::npos);
}

TEST_CASE("the words of an internal error are in the log, not in the answer") {
    const CapturedLog log;
    House house;
    house.child(error_line("internal"));
    const std::string id = house.tuning->create(house.request()).id;
    CHECK(house.wait_for_end(id).error_message == "internal error; the log says more");
    CHECK(log.count("fine-tuning " + id + " has failed (internal): step 3, inner words") == 1);
}

TEST_CASE("a full disk ends no training, and what it says is written when there is room") {
    const CapturedLog log;
    House house;
    house.child("echo run >> runs\n" + std::string(kPrepared) +
                "i=0; while [ ! -e enough ]; do i=$((i+1))\n"
                "echo '{\"event\":\"step\",\"step\":'$i',\"total\":99,\"loss\":2.5}'\n"
                "printf $i > now.new; mv now.new now; sleep 0.02; done\n" +
                kDone);
    const std::string id = house.tuning->create(house.request()).id;
    const fs::path folder = house.tuning->folder_of(id);
    const auto room = [&](const char* pages) {
        house.database->write([&](storage::Connection& connection) {
            connection.run("PRAGMA max_page_count = " + std::string(pages));
        });
    };
    const auto now = [&] { return std::stoi(read_file(folder / "now", 100)); };
    house.wait(id, [](const FineTuningJob& job) { return job.steps_done > 0; });
    room("1");  // as many as there are
    house.wait(id, [&](const auto&) { return log.count("training goes on meanwhile") > 0; });
    const int then = now();
    house.wait(id, [&](const auto&) { return now() > then + 50; });  // longer than a retry
    const int last = now();
    CHECK(house.tuning->get(id).steps_done < last);
    room("100000");
    house.wait(id, [&](const FineTuningJob& job) { return job.steps_done >= last; });
    write(folder / "enough");
    CHECK(house.wait_for_end(id).status == "succeeded");
    CHECK(read_file(folder / "runs", 100) == "run\n");
    CHECK(log.count("training goes on meanwhile") == 1);
    double step = 0;
    Page page{.limit = 100, .ascending = true};
    for (bool more = true; more;) {
        const auto events = house.tuning->events(id, page);
        for (const auto& event : events.items) {
            page.after = event.id;
            if (event.metrics.contains("train_loss")) CHECK(event.metrics.at("step") == ++step);
        }
        more = events.has_more;
    }
    CHECK(step >= last);
}

TEST_CASE("a job that was cancelled leaves nothing, and one that has succeeded no data") {
    House house;
    house.child("printf x > ckpt-1.gguf\n" + std::string(kPrepared) + kStep + kUntilAsked);
    const std::string first = house.tuning->create(house.request()).id;
    const std::string second = house.tuning->create(house.request()).id;
    house.wait(first, [](const FineTuningJob& job) { return job.steps_done == 1; });
    house.tuning->cancel(second);
    CHECK_FALSE(fs::exists(house.tuning->folder_of(second)));
    house.tuning->cancel(first);
    CHECK(house.goes(house.tuning->folder_of(first)));

    house.child(kAll);
    FineTuningRequest request = house.request();
    request.validation_file = house.upload("{\"instruction\":\"c\",\"output\":\"d\"}\n");
    const std::string third = house.tuning->create(request).id;
    house.wait_for_end(third);
    const fs::path folder = house.tuning->folder_of(third);
    CHECK(house.goes(folder / "training-data"));
    CHECK(house.goes(folder / "validation-data"));
    for (const char* kept : {"adapter.gguf", "metrics.csv", "job.json"}) {
        CHECK(fs::exists(folder / kept));
    }
}

TEST_CASE("a job that has failed keeps what it can go on from, until it is cancelled") {
    House house;
    house.child("printf x > ckpt-1.gguf\n" + error_line("storage_full"));
    const std::string id = house.tuning->create(house.request()).id;
    const fs::path folder = house.tuning->folder_of(id);
    house.wait_for_end(id);
    house.tuning->resume(id);
    house.wait_for_end(id);
    CHECK(fs::exists(folder / "training-data"));
    CHECK(fs::exists(folder / "ckpt-1.gguf"));
    CHECK(house.tuning->cancel(id).status == "failed");
    CHECK_FALSE(fs::exists(folder / "training-data"));
    CHECK_FALSE(fs::exists(folder / "ckpt-1.gguf"));
    CHECK(caught([&] { house.tuning->resume(id); }).code() == ErrorCode::kInvalidArgument);
    CHECK(house.tuning->get(id).status == "failed");
}

TEST_CASE("a cancel that meets the job's end leaves no results and no model") {
    House house;
    house.child("while [ ! -e end ]; do sleep 0.01; done\n" + kAll);
    const std::string id = house.tuning->create(house.request()).id;
    house.wait(id, [](const FineTuningJob& job) { return job.status == "running"; });
    const fs::path folder = house.tuning->folder_of(id);
    // Whatever the runner writes of the end waits for this transaction.
    house.database->write([&](storage::Connection& connection) {
        write(folder / "end");
        storage::FineTuningJobsTable jobs(connection);
        FineTuningJob job = *jobs.get(id);
        job.status = "cancelled";
        jobs.update(job);
    });
    CHECK(house.goes(folder));
    CHECK(results(house).empty());
    CHECK_FALSE(house.offers(fine_tuned_name(house.tuning->get(id))));
}

TEST_CASE("the start removes what a crash has left of jobs that have ended") {
    House house;
    const std::string done = house.tuning->create(house.request()).id;
    house.wait_for_end(done);
    house.child(std::string(kPrepared) + kStep + kUntilAsked);
    const std::string dropped = house.tuning->create(house.request()).id;
    house.wait(dropped, [](const FineTuningJob& job) { return job.steps_done == 1; });
    house.tuning->cancel(dropped);
    CHECK(house.goes(house.tuning->folder_of(dropped)));
    const fs::path kept = house.tuning->folder_of(done), gone = house.tuning->folder_of(dropped);
    const fs::path orphan = house.files->new_upload_path();
    write(orphan, "nobody's");
    house.files->add_output(orphan, "loss.svg", "fine-tune-results");
    CHECK(results(house).size() == 2);
    house.close();
    write(kept / "training-data");
    write(kept / "ckpt-2.gguf");
    write(gone / "training-data");
    house.open();
    CHECK_FALSE(fs::exists(kept / "training-data"));
    CHECK_FALSE(fs::exists(kept / "ckpt-2.gguf"));
    CHECK(fs::exists(kept / "adapter.gguf"));
    CHECK_FALSE(fs::exists(gone));
    REQUIRE(results(house).size() == 1);
    CHECK(results(house)[0].id == house.tuning->get(done).result_files[0]);
}

TEST_CASE("an older database takes no adapter with it that it does not know") {
    House house;
    house.close();
    const fs::path training = house.path() / "training";
    write(training / "ftjob-cut" / "training-data");
    write(training / "ftjob-begun" / "job.json");
    write(training / "ftjob-trained" / "adapter.gguf");
    const CapturedLog log;
    house.open();
    CHECK_FALSE(fs::exists(training / "ftjob-cut"));
    CHECK(fs::exists(training / "ftjob-begun" / "job.json"));
    CHECK(fs::exists(training / "ftjob-trained" / "adapter.gguf"));
    CHECK(log.count((training / "ftjob-trained").string()) == 1);
    CHECK(log.count((training / "ftjob-begun").string()) == 1);
    CHECK(log.count("ftjob-cut") == 0);
}

TEST_CASE("looking again at models reads no file while nothing has changed") {
    House house;
    const std::string model =
        house.wait_for_end(house.tuning->create(house.request()).id).fine_tuned_model;
    write(house.path() / "models" / "broken.gguf", "no model");
    const CapturedLog log;
    for (int i = 0; i < 3; ++i) house.tuning->refresh();
    CHECK(log.count("left out of the models") == 0);

    fs::rename(house.path() / "models" / "tiny.gguf", house.path() / "away.gguf");
    for (int i = 0; i < 3; ++i) house.tuning->refresh();
    CHECK(log.count(model + " is not offered") == 1);
    CHECK(log.count("left out of the models") == 1);  // to name what there is
    fs::rename(house.path() / "away.gguf", house.path() / "models" / "tiny.gguf");
    house.tuning->refresh();
    CHECK(house.offers(model));
}

TEST_CASE("a model that is deleted while its base is looked at does not come back") {
    House house;
    Models here(house);
    here.models.offer(here.job);
    const std::string name = fine_tuned_name(here.job);
    CHECK(house.offers(name));
    here.models.withdraw(here.job);
    write(here.adapter);  // it was there when the look began
    here.models.offer(here.job);
    CHECK_FALSE(house.offers(name));
}

TEST_CASE("no base is read any more when the server is being stopped") {
    House house;
    Models here(house);
    here.models.stop();
    fs::last_write_time(house.path() / "models" / "tiny.gguf", fs::file_time_type::clock::now());
    CHECK(caught([&] { here.models.base("tiny"); }).code() == ErrorCode::kStopping);
    CHECK(caught([&] { here.models.offer(here.job); }).code() == ErrorCode::kStopping);
}

TEST_CASE("a request that is repeated while the first is still at work makes one job") {
    House house;
    FineTuningRequest request = house.request();
    request.repeated = true;
    std::vector<std::string> ids(4);
    std::vector<std::thread> clients;
    // None can write its row meanwhile; the time is for those who do not wait for the first.
    house.database->write([&](storage::Connection&) {
        for (std::string& id : ids) {
            clients.emplace_back([&] { id = house.tuning->create(request).id; });
        }
        for (int i = 0; i < 100 && folders(house) < 2; ++i) std::this_thread::sleep_for(5ms);
    });
    for (std::thread& client : clients) client.join();
    for (const std::string& id : ids) CHECK(id == ids[0]);
    CHECK(house.tuning->list({}, {}).items.size() == 1);
}

TEST_SUITE_END();

}  // namespace jikji::service
