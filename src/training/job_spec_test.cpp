#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "support/temp_folder.hpp"
#include "training/job.hpp"

using namespace jikji::training;
using jikji::tests::TempFolder;

namespace {

/// What read_job says of this job.json; empty if it takes it.
std::string complaint(const std::string& text) {
    const TempFolder folder;
    std::ofstream(folder / "job.json") << text;
    try {
        read_job(folder.path());
    } catch (const jikji::Error& error) {
        return error.field() + ": " + error.what();
    }
    return {};
}

std::string with(const std::string& field) {
    return R"({"base": {"path": "b.gguf"}, "data": {"path": "d.jsonl"}, )" + field + "}";
}

struct BadCase {
    const char* text;
    const char* complaint;
};

const BadCase kBadCases[] = {
    {R"("rank": 0)", "rank: rank is 0; give 1..256"},
    {R"("targets": ["q_porj"])", "did you mean q_proj?"},
    {R"("targets": [])", "target: target is empty"},
    {R"("epochs": 0)", "epochs: epochs is 0; give 1 to 100"},
    {R"("epochs": 1.5)", "epochs is of another type; give a whole number"},
    {R"("batch_size": 5000)", "batch_size is 5000; give 1 to 1024"},
    {R"("learning_rate": 0)", "learning_rate is 0; give above 0, up to 1"},
    {R"("learning_rate": "fast")", "learning_rate is of another type; give a number"},
    {R"("template": "chatml")", "template is chatml; give auto, model, alpaca"},
    {R"("held_out_share": 0.9)", "held_out_share is 0.9; give 0 to 0.5"},
    {R"("warmup_steps": -2)", "warmup_steps is -2; give 0 to 1000000000"},
    {R"("learning_rat": 1)", "learning_rat"},
    {R"("validation": {"name": "x"})", "validation is without a path"},
};

}  // namespace

TEST_SUITE_BEGIN("job_spec");

TEST_CASE("a job that is written is read again as it was") {
    const TempFolder folder;
    JobSpec spec;
    spec.adapter_name = "ft:tiny:local:한국어:1";
    spec.base_name = "tiny";
    spec.base = "/models/tiny.gguf";
    spec.base_sha256 = "00ff";
    spec.data = {"/files/a.jsonl", "mine.jsonl"};
    spec.validation = DataFile{"/files/b.jsonl", "others.jsonl"};
    spec.choice = TemplateChoice::kAlpaca;
    spec.precision = JobPrecision::kF32;
    spec.warmup_steps = 0;
    spec.train.epochs = 7;
    spec.train.seed = ~std::uint64_t{0};
    spec.train.optimiser.learning_rate = 1.0 / 3;
    spec.train.lora.dropout = 0.1F;
    spec.train.lora.targets = {Module::kQ, Module::kDown};
    write_job(folder.path(), spec);
    const JobSpec read = read_job(folder.path());
    CHECK(read.adapter_name == spec.adapter_name);
    CHECK(read.base == spec.base);
    CHECK(read.base_sha256 == "00ff");
    CHECK(read.data.name == "mine.jsonl");
    CHECK(read.validation->path == "/files/b.jsonl");
    CHECK(read.choice == TemplateChoice::kAlpaca);
    CHECK(read.precision == JobPrecision::kF32);
    CHECK(read.warmup_steps == 0);
    CHECK(read.train.epochs == 7);
    CHECK(read.train.seed == ~std::uint64_t{0});
    CHECK(read.train.optimiser.learning_rate == 1.0 / 3);
    CHECK(read.train.lora.dropout == 0.1F);
    CHECK(read.train.lora.targets == spec.train.lora.targets);
}

TEST_CASE("what is not said has its default, and paths are those of the folder") {
    const TempFolder folder;
    std::ofstream(folder / "job.json") << with(R"("warmup_steps": null)");
    const JobSpec spec = read_job(folder.path());
    CHECK(!spec.warmup_steps);
    CHECK(spec.train.epochs == 3);
    CHECK(spec.train.lora.rank == 8);
    CHECK(spec.base == folder / "b.gguf");
    CHECK(spec.data.name == "d.jsonl");
    CHECK(spec.initial_values.empty());
}

TEST_CASE("a job.json that cannot be meant is refused by field, value and limit") {
    for (const BadCase& c : kBadCases) {
        CAPTURE(c.text);
        const std::string said = complaint(with(c.text));
        CAPTURE(said);
        CHECK(said.find(c.complaint) != std::string::npos);
    }
    CHECK(complaint("{").find("job.json is no JSON object") != std::string::npos);
    CHECK(complaint("{}").find("base is missing") != std::string::npos);
    CHECK(complaint(R"({"base": {"path": "x"}})").find("data is missing") != std::string::npos);
}

TEST_CASE("an event that is said is understood") {
    const JobEvent events[] = {
        PreparedEvent{
            .samples = 3, .max_length = 1024, .notes = {"line 2", "둘"}, .template_name = "alpaca"},
        StepEvent{.step = 4, .loss = 1.0 / 3, .rate = 3e-4},
        HeldOutEvent{.step = 0, .loss = 2.5, .base_loss = 2.5},
        CheckpointEvent{.step = 9, .file = "ckpt-9.gguf"},
        NoteEvent{.message = "a note", .korean = "알림"},
        DoneEvent{.adapter = "adapter.gguf", .held_out_loss = 0.5, .worse_than_base = true},
        StoppedEvent{.step = 7},
        ErrorEvent{.code = "conflict", .field = "base", .message = "changed"},
    };
    for (const JobEvent& event : events) {
        const std::string line = to_line(event);
        CAPTURE(line);
        CHECK(line.find('\n') == std::string::npos);
        const auto read = parse_event(line);
        REQUIRE(read);
        CHECK(read->index() == event.index());
        CHECK(to_line(*read) == line);
    }
    CHECK(std::get<PreparedEvent>(*parse_event(to_line(events[0]))).max_length == 1024);
    CHECK(std::get<StepEvent>(*parse_event(to_line(events[1]))).loss == 1.0 / 3);
    CHECK(!std::get<DoneEvent>(*parse_event(to_line(events[5]))).base_loss);
    for (const char* other : {"", "{", "[]", "{\"event\":\"song\"}", "loading 3 %"}) {
        CHECK(!parse_event(other));
    }
}

TEST_CASE("an error keeps its code, field and both languages") {
    const ErrorEvent event =
        error_event(jikji::Error(jikji::ErrorCode::kConflict, "the base changed", "base", "바뀜"));
    CHECK(event.code == "conflict");
    CHECK(event.field == "base");
    CHECK(event.korean == "바뀜");
    CHECK(error_event(std::runtime_error("x")).code == "internal");
}

TEST_SUITE_END();
