// Jobs and their runner from the request to the model, with a stand-in for the process that
// computes (support/fine_tuning_house.hpp). The real one is tested in
// tests/blackbox/test_fine_tuning.py.
#include "service/fine_tuning.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "service/fine_tuning_progress.hpp"
#include "support/fine_tuning_house.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
using tests::caught;
using tests::House;
using tests::kAll;
using tests::kDone;
using tests::kPrepared;
using tests::kStep;
using tests::kUntilAsked;

TEST_SUITE_BEGIN("fine_tuning");

TEST_CASE("a job from its file to its model, which is called worse than the base where it is") {
    House house;
    FineTuningRequest request = house.request();
    request.suffix = "\u1102\u1161-1";  // decomposed, as macOS types it
    const FineTuningJob queued = house.tuning->create(request);
    CHECK(queued.status == "queued");
    const FineTuningJob job = house.wait_for_end(queued.id);
    CHECK(job.status == "succeeded");
    CHECK(job.fine_tuned_model == "ft:tiny:local:나-1:" + job.id.substr(job.id.size() - 8));
    CHECK(job.trained_tokens == 90);
    CHECK(job.steps_done == 2);
    CHECK(job.warmup_steps == 1);
    CHECK(job.template_used == "alpaca");
    CHECK(job.length_used == 512);
    CHECK(job.base_sha256.size() == 64);
    CHECK(warning_of(job, false).find("2.6000, worse than the base's 2.5000") != std::string::npos);
    CHECK(house.said(job.id, "worse than the base"));
    CHECK(house.offers(job.fine_tuned_model));
    REQUIRE(job.result_files.size() == 1);
    CHECK(house.files->get(job.result_files[0]).purpose == "fine-tune-results");
    CHECK(read_file(house.files->path_of(job.result_files[0]), 100) == "step,train_loss\n");
    CHECK(house.goes(house.tuning->folder_of(job.id) / "ckpt-2.gguf"));

    const auto events = house.tuning->events(job.id, {.limit = 100, .ascending = true}).items;
    REQUIRE(events.size() == 8);
    CHECK(events[4].metrics.at("train_loss") == 2.5);
    CHECK(events[7].message == "The job has successfully completed");
    const auto checkpoints = house.tuning->checkpoints(job.id, {}).items;
    REQUIRE(checkpoints.size() == 1);
    CHECK(checkpoints[0].metrics.at("train_loss") == 2.5);
}

TEST_CASE("a model is offered again after a restart, until it is deleted, once or twice") {
    House house;
    const std::string id = house.tuning->create(house.request()).id;
    const std::string model = house.wait_for_end(id).fine_tuned_model;
    house.close();
    house.open();
    CHECK(house.offers(model));
    house.tuning->remove_model(model);
    house.tuning->remove_model(model);
    CHECK_FALSE(house.offers(model));
    CHECK_FALSE(fs::exists(house.tuning->folder_of(id) / "adapter.gguf"));
    CHECK(caught([&] { house.tuning->remove_model("ft:x"); }).code() == ErrorCode::kModelNotFound);
    house.close();
    house.open();
    CHECK_FALSE(house.offers(model));
    CHECK(house.tuning->get(id).model_removed);
}

TEST_CASE("a model whose base was changed is refused, until the base is back") {
    House house;
    const std::string model =
        house.wait_for_end(house.tuning->create(house.request()).id).fine_tuned_model;
    const auto why = [&] { return caught([&] { house.engine->load(model); }); };
    CHECK(why().code() == ErrorCode::kRejected);  // the stand-in's adapter is none
    const fs::path base = house.path() / "models" / "tiny.gguf";
    fs::rename(base, house.path() / "old.gguf");
    std::ofstream(base) << read_file(house.path() / "old.gguf", 1 << 30) << "x";
    house.tuning->refresh();
    CHECK(why().code() == ErrorCode::kConflict);
    CHECK(why().field() == "model");
    house.close();
    house.open();
    CHECK(why().code() == ErrorCode::kConflict);
    fs::remove(base);
    fs::copy_file(house.path() / "old.gguf", base);  // the same bytes, a new time
    house.tuning->refresh();
    CHECK(why().code() != ErrorCode::kConflict);
}

TEST_CASE("a process that ends early is tried once more, then the job fails and can be resumed") {
    House house;
    house.child(std::string(kPrepared) + "[ -e tried ] || { : > tried; kill -KILL $$; }\n" + kStep +
                kDone);
    const std::string once = house.tuning->create(house.request()).id;
    CHECK(house.wait_for_end(once).status == "succeeded");
    CHECK(house.said(once, "memory ran out"));

    house.child("exit 3\n");
    const std::string twice = house.tuning->create(house.request()).id;
    const FineTuningJob failed = house.wait_for_end(twice);
    CHECK(failed.status == "failed");
    CHECK(failed.error_code == "training_crashed");
    CHECK(failed.error_message.find("code 3") != std::string::npos);
    CHECK(failed.finished_at > 0);
    house.child(kAll);
    CHECK(house.tuning->resume(twice).status == "queued");
    CHECK(house.wait_for_end(twice).status == "succeeded");
    CHECK(house.tuning->get(twice).error_code.empty());
    CHECK(caught([&] { house.tuning->resume(twice); }).code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("what the process says is wrong becomes the job's error") {
    House house;
    house.child(R"(echo 'no event'; echo '{"event":"error","code":"disk_full","field":"",)"
                R"("message":"no room","korean":"공간이 없습니다"}'; exit 1)"
                "\n");
    const FineTuningJob job = house.wait_for_end(house.tuning->create(house.request()).id);
    CHECK(job.status == "failed");
    CHECK(job.error_code == "disk_full");
    CHECK(job.error_korean == "공간이 없습니다");
}

TEST_CASE("paused with a checkpoint; meanwhile the next one computes; resumed to its end") {
    House house;
    house.child(std::string(kPrepared) + kStep + kUntilAsked);
    const std::string id = house.tuning->create(house.request()).id;
    house.wait(id, [](const FineTuningJob& job) { return job.steps_done == 1; });
    CHECK(house.tuning->pause(id).paused);
    CHECK(house.tuning->pause(id).status == "running");
    house.child(kAll);
    const std::string other = house.tuning->create(house.request()).id;
    CHECK(house.wait_for_end(other).status == "succeeded");
    CHECK(house.said(id, "Paused after step 1"));
    CHECK(house.tuning->get(id).paused);
    CHECK_FALSE(house.tuning->resume(id).paused);
    CHECK(house.wait_for_end(id).status == "succeeded");
    CHECK(caught([&] { house.tuning->pause(id); }).code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("cancelled while it computes, and while it waits; twice is fine") {
    House house;
    house.child(std::string(kPrepared) + kStep + kUntilAsked);
    const std::string first = house.tuning->create(house.request()).id;
    const std::string second = house.tuning->create(house.request()).id;
    house.wait(first, [](const FineTuningJob& job) { return job.steps_done == 1; });
    CHECK(house.tuning->get(second).status == "queued");
    CHECK(house.tuning->cancel(second).status == "cancelled");
    CHECK(house.tuning->cancel(first).status == "cancelled");
    CHECK(house.tuning->cancel(first).finished_at > 0);
    house.child(kAll);
    CHECK(house.wait_for_end(house.tuning->create(house.request()).id).status == "succeeded");
    CHECK(house.tuning->get(first).status == "cancelled");
    CHECK(house.tuning->get(second).steps_done == 0);
}

TEST_CASE("a job goes on when the server stopped in its middle, also without its files") {
    House house;
    house.child(std::string(kPrepared) + kStep + kUntilAsked);
    const FineTuningRequest request = house.request();
    const std::string id = house.tuning->create(request).id;
    house.wait(id, [](const FineTuningJob& job) { return job.steps_done == 1; });
    house.files->remove(request.training_file);
    house.close();
    house.child("[ -s training-data ] || exit 5\n" + kAll);
    house.open();
    const FineTuningJob job = house.wait_for_end(id);
    CHECK(job.status == "succeeded");
    CHECK_FALSE(job.training_file_there);
}

TEST_CASE("what cannot be trained is refused before anything starts, by field") {
    House house;
    const auto refused = [&](auto change) {
        FineTuningRequest request = house.request();
        change(request);
        return caught([&] { house.tuning->create(request); });
    };
    using Request = FineTuningRequest;
    const Error rank = refused([](Request& r) { r.rank = 0; });
    CHECK(rank.field() == "hyperparameters.rank");
    CHECK(rank.code() == ErrorCode::kInvalidArgument);
    const Error target = refused([](Request& r) { r.targets = {"q_porj"}; });
    CHECK(target.field() == "hyperparameters.target");
    CHECK(std::string(target.what()).find("did you mean q_proj?") != std::string::npos);
    CHECK(refused([](Request& r) { r.targets = {}; }).field() == "hyperparameters.target");
    CHECK(refused([](Request& r) { r.model = "tinny"; }).code() == ErrorCode::kModelNotFound);
    CHECK(refused([](Request& r) { r.max_length = 100'000; }).field() ==
          "hyperparameters.max_length");
    CHECK(refused([](Request& r) { r.model = "ft:a"; }).code() == ErrorCode::kUnsupported);
    for (const char* suffix : {"a b", "a:b", "../x", "a\u202eb", "\xff"}) {
        CAPTURE(suffix);
        CHECK(refused([&](Request& r) { r.suffix = suffix; }).field() == "suffix");
    }
    CHECK(refused([](Request& r) { r.suffix = std::string(65, 'a'); }).field() == "suffix");
    CHECK(refused([](Request& r) { r.metadata[std::string(65, 'a')] = ""; }).field() == "metadata");
    CHECK(refused([](Request& r) { r.training_file = "file-x"; }).field() == "training_file");
    CHECK(refused([](Request& r) { r.validation_file = "file-x"; }).code() == ErrorCode::kNotFound);
    const std::string chat = house.upload("{}\n", "assistants");
    const Error purpose = refused([&](Request& r) { r.training_file = chat; });
    CHECK(std::string(purpose.what()).find("assistants") != std::string::npos);
    const std::string broken = house.upload("{\"text\":\"a\"}\n{\"text\":\n");
    const Error data = refused([&](Request& r) { r.validation_file = broken; });
    CHECK(data.field() == "validation_file");
    CHECK(std::string(data.what()).find("자료.jsonl") != std::string::npos);
    CHECK(std::string(data.what()).find("line 2") != std::string::npos);
    CHECK(house.tuning->list({}, {}).items.empty());
    CHECK(fs::is_empty(house.path() / "training"));
}

TEST_CASE("a request that is repeated for want of an answer makes no second job") {
    House house;
    FineTuningRequest request = house.request();
    const std::string id = house.tuning->create(request).id;
    house.wait_for_end(id);  // what was chosen for it meanwhile makes it no other job
    request.repeated = true;
    CHECK(house.tuning->create(request).id == id);
    request.rank = 4;
    const std::string other = house.tuning->create(request).id;
    CHECK(other != id);
    request.repeated = false;
    CHECK(house.tuning->create(request).id != other);
}

TEST_CASE("a folder that a dying process still has is tried again") {
    House house;
    house.child(R"([ -e tried ] || { : > tried; echo '{"event":"error","code":"conflict",)"
                R"("field":"folder","message":"held","korean":""}'; exit 1; })"
                "\n" +
                kAll);
    const std::string id = house.tuning->create(house.request()).id;
    CHECK(house.wait_for_end(id).status == "succeeded");
}

TEST_CASE("time for people") {
    CHECK(time_for_people(0.4, false) == "0 s");
    CHECK(time_for_people(200, false) == "3 min 20 s");
    CHECK(time_for_people(200, true) == "3분 20초");
    CHECK(time_for_people(7260, true) == "2시간 1분");
}

TEST_SUITE_END();

}  // namespace jikji::service
