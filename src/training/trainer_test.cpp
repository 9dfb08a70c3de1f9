#include "training/trainer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"
#include "training/diverged.hpp"
#include "training/epoch_order.hpp"
#include "training/job_events.hpp"

using namespace jikji::training;
using jikji::tests::TempFolder;

namespace {

constexpr int kSteps = 8;  // 14 samples in batches of 4, twice

/// Texts of tokens that follow a rule, so that there is something to learn.
Split data_of(int train, int held_out) {
    std::mt19937_64 random(3);
    Split out;
    for (int i = 0; i < train + held_out; ++i) {
        Sample sample;
        const int length = 6 + static_cast<int>(random() % 12);
        for (int j = 0; j < length; ++j) {
            sample.tokens.push_back(static_cast<Token>(40 + (j * 7 + i % 3) % 50));
            sample.learnt.push_back(j >= 3 ? 1 : 0);
        }
        (i < train ? out.train : out.held_out).push_back(std::move(sample));
    }
    return out;
}

TrainOptions options_of(int epochs = 2) {
    TrainOptions out;
    out.epochs = epochs;
    out.pack_tokens = 40;  // several packs a step
    out.optimiser.learning_rate = 3e-3;
    out.optimiser.warmup_steps = 2;
    out.lora.targets = {Module::kQ, Module::kV, Module::kDown};
    out.base_id = "tiny";
    return out;
}

struct Run {
    std::vector<float> values;
    std::vector<double> losses;
    std::vector<HeldOutReport> held_out;
    int not_saved = 0;
};

class Room {
public:
    Room() : base_(make(folder_.path())) {}

    Trainer trainer(const std::string& name, TrainOptions options = options_of(),
                    int threads = 1) const {
        std::filesystem::create_directories(folder_ / name);
        PassOptions pass;
        pass.precision = jikji::gemm::Precision::kF32;
        pass.threads = threads;
        return Trainer(base_, data_of(14, 3), std::move(options), pass, folder_ / name);
    }

    /// Runs until `last` steps are done, or to the end.
    static TrainEnd go(Trainer& trainer, Run& run, std::int64_t last = 1 << 30) {
        std::atomic<bool> stop{false};
        TrainListener listener;
        listener.step = [&](const StepReport& report) {
            run.losses.push_back(report.loss);
            stop = report.step >= last;
        };
        listener.held_out = [&](const HeldOutReport& report) { run.held_out.push_back(report); };
        listener.not_saved = [&](const jikji::Error&) { ++run.not_saved; };
        const TrainEnd end = trainer.run(listener, stop);
        const auto values = trainer.lora().values();
        run.values.assign(values.begin(), values.end());
        return end;
    }

    TempFolder folder_;

private:
    static std::filesystem::path make(const std::filesystem::path& folder) {
        jikji::tests::write_tiny_llama(folder / "tiny.gguf");
        return folder / "tiny.gguf";
    }
    BaseModel base_;
};

std::string refusal(const Room& room, const std::string& name, const TrainOptions& options) {
    try {
        room.trainer(name, options);
    } catch (const jikji::Error& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_SUITE_BEGIN("trainer");

TEST_CASE("every epoch has every sample once, in an order of its own") {
    const auto first = epoch_order(100, 42, 0, true);
    CHECK(first == epoch_order(100, 42, 0, true));
    CHECK(first != epoch_order(100, 42, 1, true));
    CHECK(first != epoch_order(100, 43, 0, true));
    auto sorted = first;
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == epoch_order(100, 42, 0, false));
    CHECK(epoch_order(1, 42, 0, true) == std::vector<std::uint64_t>{0});
}

TEST_CASE("a step learns the mean of its batch, however it is cut into packs") {
    const Room room;
    Run runs[2];
    for (const int tokens : {40, 4096}) {
        TrainOptions options = options_of();
        options.pack_tokens = tokens;
        options.lora.dropout = 0;
        Trainer trainer = room.trainer(std::to_string(tokens), options);
        CHECK(Room::go(trainer, runs[tokens > 40]) == TrainEnd::kDone);
    }
    REQUIRE(runs[0].losses.size() == runs[1].losses.size());
    for (std::size_t step = 0; step < runs[0].losses.size(); ++step) {
        CHECK(runs[0].losses[step] == doctest::Approx(runs[1].losses[step]).epsilon(1e-5));
    }
    double apart = 0, length = 0;
    for (std::size_t i = 0; i < runs[0].values.size(); ++i) {
        const auto x = static_cast<double>(runs[0].values[i]);
        const auto y = static_cast<double>(runs[1].values[i]);
        apart += (x - y) * (x - y);
        length += y * y;
    }
    CHECK(apart <= length * 1e-6);
}

TEST_CASE("row 10: two runs are bit-equal, with one thread and with two") {
    const Room room;
    Run runs[4];
    for (std::size_t i = 0; i < 4; ++i) {
        Trainer trainer = room.trainer(std::to_string(i), options_of(), i >= 2 ? 2 : 1);
        CHECK(trainer.steps_total() == kSteps);
        CHECK(Room::go(trainer, runs[i]) == TrainEnd::kDone);
    }
    CHECK(runs[0].losses.size() == kSteps);
    for (const std::size_t i : {0, 2}) {
        CHECK(runs[i].values == runs[i + 1].values);
        CHECK(runs[i].losses == runs[i + 1].losses);
    }
    // oneDNN may cut a sum in another way for another number of threads.
    for (std::size_t step = 0; step < kSteps; ++step) {
        CHECK(runs[2].losses[step] == doctest::Approx(runs[0].losses[step]).epsilon(1e-4));
    }
}

TEST_CASE("row 9: stopped after any step, it goes on bit for bit") {
    const Room room;
    Run whole;
    Trainer trainer = room.trainer("whole");
    Room::go(trainer, whole);
    for (int last = 1; last < kSteps; ++last) {
        CAPTURE(last);
        const std::string name = "stop-" + std::to_string(last);
        Run run;
        {
            Trainer first = room.trainer(name);
            REQUIRE(Room::go(first, run, last) == TrainEnd::kStopped);
            CHECK(first.steps_saved() == last);
        }
        Trainer second = room.trainer(name);
        CHECK(second.steps_done() == last);
        CHECK(Room::go(second, run) == TrainEnd::kDone);
        CHECK(run.losses == whole.losses);
        CHECK(run.values == whole.values);
        CHECK(second.held_out()->loss == trainer.held_out()->loss);
        CHECK(second.held_out()->base_loss == trainer.held_out()->base_loss);
        CHECK(second.tokens_done() == trainer.tokens_done());
    }
}

TEST_CASE("the base's loss is told first, then one an epoch; the first step changes nothing") {
    const Room room;
    Run run;
    Trainer trainer = room.trainer("a", options_of(3));
    Room::go(trainer, run);
    REQUIRE(run.held_out.size() == 4);
    CHECK(run.held_out[0].step == 0);
    CHECK(run.held_out[0].loss == run.held_out[0].base_loss);
    CHECK(run.held_out[1].step == 4);
    CHECK(run.held_out[3].step == 12);
    Run first;
    Trainer again = room.trainer("b", options_of(3));
    Room::go(again, first, 1);  // at a rate of 0
    Lora lora(BaseModel(room.folder_ / "tiny.gguf").shape(), options_of().lora);
    lora.initialise(options_of().seed);
    CHECK(std::equal(first.values.begin(), first.values.end(), lora.values().begin()));
}

TEST_CASE("row 8: it learns") {
    const Room room;
    TrainOptions options = options_of(30);
    options.lora.dropout = 0;
    Run run;
    Trainer trainer = room.trainer("learns", options);
    Room::go(trainer, run);
    CHECK(run.losses.back() < run.losses.front() / 2);
    CHECK(run.held_out.back().loss < run.held_out.back().base_loss * 0.9);
}

TEST_CASE("a run goes on only from a checkpoint of its own") {
    const Room room;
    Run run;
    Trainer trainer = room.trainer("mine");
    Room::go(trainer, run, 3);
    TrainOptions other = options_of(3);
    CHECK(refusal(room, "mine", other).find("epochs: 2 then, 3 now") != std::string::npos);
    other = options_of();
    other.base_id = "changed";
    CHECK(refusal(room, "mine", other).find("base: tiny then, changed now") != std::string::npos);
    CHECK(refusal(room, "mine", options_of()).empty());
}

TEST_CASE("initial values are taken as they are, or refused by their number") {
    const Room room;
    TrainOptions options = options_of();
    options.initial_values = {1, 2, 3};
    CHECK(refusal(room, "few", options).find("initial_values has 3 numbers") != std::string::npos);
}

TEST_CASE("row 14: a loss that is not finite ends the run and says at which step") {
    const Room room;
    TrainOptions options = options_of();
    Trainer probe = room.trainer("probe", options);
    options.initial_values.assign(probe.lora().values().size(),
                                  std::numeric_limits<float>::quiet_NaN());
    Trainer trainer = room.trainer("nan", options);
    Run run;
    try {
        Room::go(trainer, run);
        FAIL("it went on");
    } catch (const Diverged& error) {
        CHECK(std::string(error.what()).find("loss of step 1 is not finite") != std::string::npos);
        CHECK(std::string(error.what()).find("smaller") != std::string::npos);
        CHECK(error.korean().find("1단계의 손실이(가)") != std::string::npos);
        CHECK(error.korean().find("loss") == std::string::npos);
        CHECK(error_event(error).code == "training_diverged");
        CHECK(error_event(error).field == "learning_rate");
    }
    CHECK(run.losses.empty());
}

TEST_CASE("a checkpoint that cannot be written is told, and the work goes on") {
    const Room room;
    Run run;
    Trainer trainer = room.trainer("gone");
    std::filesystem::remove_all(room.folder_ / "gone");  // as a full disk, but for all users
    CHECK(Room::go(trainer, run) == TrainEnd::kDone);
    CHECK(run.losses.size() == kSteps);
    CHECK(run.not_saved == 2);  // at the end of each epoch
    CHECK(trainer.steps_saved() == 0);
}

TEST_SUITE_END();
