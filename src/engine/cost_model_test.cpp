#include "engine/cost_model.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace jikji::engine;

namespace {

/// A machine that obeys the model, up to noise.
struct Machine {
    double pass = 5e-3, row = 1e-3, prompt = 2e-3, token = 2e-3, context = 0.4e-6, reading = 1e-6;
    double noise = 0.05;
    std::mt19937 random{1};

    double seconds(const StepWork& w) {
        const double exact = pass + row * w.rows + (w.prompt > 0 ? prompt : 0) + token * w.prompt +
                             context * w.prompt_context + reading * w.row_context;
        return exact * (1 + noise * std::normal_distribution<double>()(random));
    }
};

StepWork decode(int rows) { return {rows, 0, 0, 200.0 * rows}; }

StepWork with_prompt(int rows, int computed, int tokens) {
    StepWork work = decode(rows);
    add_prompt(work, computed, tokens);
    return work;
}

double relative_error(const CostModel& model, Machine machine, const StepWork& work) {
    machine.noise = 0;
    const double want = machine.seconds(work);
    return std::abs(model.seconds(work) - want) / want;
}

void teach(CostModel& model, Machine& machine, int steps) {
    for (int i = 0; i < steps; ++i) {
        const bool prompt = machine.random() % 4 == 0;
        const int rows = 1 + static_cast<int>(machine.random() % 8);
        const int computed = static_cast<int>(machine.random() % 2000);
        const int tokens = 20 + static_cast<int>(machine.random() % 200);
        const StepWork work = prompt ? with_prompt(rows, computed, tokens) : decode(rows);
        model.observe(work, machine.seconds(work));
    }
}

}  // namespace

TEST_SUITE_BEGIN("cost_model");

TEST_CASE("a few steps of each kind are enough") {
    Machine machine;
    CostModel model(1e9, 1e9);  // a guess that is ten times too high
    for (int i = 0; i < 6; ++i) {
        model.observe(with_prompt(0, 0, 300 + 20 * i),
                      machine.seconds(with_prompt(0, 0, 300 + 20 * i)));
        model.observe(decode(1 + i), machine.seconds(decode(1 + i)));
    }
    CHECK(relative_error(model, machine, decode(4)) < 0.25);
    CHECK(relative_error(model, machine, with_prompt(4, 0, 100)) < 0.3);
}

TEST_CASE("many steps are predicted as well as the noise allows") {
    Machine machine;
    CostModel model;
    teach(model, machine, 400);
    for (const StepWork& work : {decode(1), decode(8), with_prompt(4, 0, 60),
                                 with_prompt(0, 0, 200), with_prompt(4, 1500, 60)}) {
        CHECK(relative_error(model, machine, work) < 0.15);
    }
}

TEST_CASE("what a prompt costs is not forgotten while nobody brings one") {
    Machine machine;
    CostModel model;
    teach(model, machine, 200);
    for (int i = 0; i < 5000; ++i) model.observe(decode(3), machine.seconds(decode(3)));
    CHECK(relative_error(model, machine, with_prompt(3, 500, 100)) < 0.2);
}

TEST_CASE("one step in twenty that takes ten times as long does not matter much") {
    Machine machine;
    CostModel model;
    for (int i = 0; i < 600; ++i) {
        const StepWork work = i % 4 == 0 ? with_prompt(3, 300, 30 + i % 97) : decode(1 + i % 7);
        model.observe(work, machine.seconds(work) * (i % 20 == 7 ? 10 : 1));
    }
    CHECK(relative_error(model, machine, decode(4)) < 0.5);
    CHECK(relative_error(model, machine, with_prompt(4, 300, 80)) < 0.5);
}

TEST_CASE("a machine that gets slower for good is followed") {
    Machine machine;
    CostModel model;
    teach(model, machine, 300);
    machine.pass *= 3, machine.row *= 3, machine.prompt *= 3, machine.token *= 3;
    machine.context *= 3, machine.reading *= 3;
    teach(model, machine, 60);
    CHECK(relative_error(model, machine, decode(4)) < 0.35);
    CHECK(relative_error(model, machine, with_prompt(4, 300, 80)) < 0.35);
}

TEST_CASE("the tokens that join a step keep it within its limit, and one more would not") {
    Machine machine;
    CostModel model;
    teach(model, machine, 400);
    const StepWork rows = decode(4);
    const int near = model.prompt_tokens_within(rows, 0.1, 0, 512);
    const int far = model.prompt_tokens_within(rows, 0.1, 3000, 512);
    CHECK(near > far);  // attention
    CHECK(far > 0);
    for (const auto& [computed, tokens] : {std::pair{0, near}, std::pair{3000, far}}) {
        CHECK(model.seconds(with_prompt(4, computed, tokens)) <= 0.1);
        CHECK(model.seconds(with_prompt(4, computed, tokens + 1)) > 0.1);
    }
    CHECK(model.prompt_tokens_within(rows, 0, 0, 512) == 0);
    CHECK(model.prompt_tokens_within(rows, 1e9, 0, 512) == 512);
}

TEST_CASE("a request costs its prompt and its share of the steps") {
    Machine machine;
    CostModel model;
    teach(model, machine, 400);
    const double alone = model.request_seconds(100, 50, 1);
    CHECK(model.request_seconds(1000, 50, 1) > alone);
    CHECK(model.request_seconds(100, 500, 1) > alone);
    CHECK(model.request_seconds(100, 50, 8) < alone);
    CHECK(model.request_seconds(100, 50, 0) == alone);
}

TEST_CASE("nothing makes it say nonsense") {
    CostModel model;
    model.observe({}, 1);
    model.observe(decode(1), -1);
    model.observe(decode(1), std::nan(""));
    for (int i = 0; i < 50; ++i) model.observe(decode(1), 1e-9);
    for (int i = 0; i < 50; ++i) model.observe(with_prompt(0, 0, 512), 1e3);
    const double seconds = model.seconds(with_prompt(8, 100, 100));
    CHECK(std::isfinite(seconds));
    CHECK(seconds >= 0);
}

TEST_SUITE_END();
