#include "training/optimiser.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/error.hpp"

using namespace jikji::training;

namespace {

constexpr int kParameters = 4;
constexpr double kTolerance = 2e-6;  // some roundings of float32, over ten steps

struct AdamCase {
    const char* name;
    OptimiserOptions options;
    float values[kParameters], first[kParameters], second[kParameters];
};

// From torch 2.13.0+cpu: ten steps of torch.optim.AdamW (lr 0.01) from {0.5, -1.25, 2, 0}, with
// clip_grad_norm_ where there is one; gradient i of step t is sin(t (i + 1)) (0.5 + i).
const AdamCase kAdamCases[] = {
    {"plain",
     {.weight_decay = 0, .clip_norm = 0},
     {0.463454276F, -1.26370573F, 1.99157572F, 0.0121127088F},
     {0.0370188206F, 0.0707050785F, -0.128318071F, 0.0576218478F},
     {0.00124415115F, 0.0123239439F, 0.0308799911F, 0.0669770166F}},
    {"weight decay and clipping",
     {.weight_decay = 0.1, .clip_norm = 1},
     {0.460762262F, -1.26010752F, 1.96913707F, 0.0211164933F},
     {0.0122763766F, 0.0430786461F, -0.0387774818F, 0.00961845461F},
     {0.000128101339F, 0.00134948548F, 0.00288955658F, 0.00558797084F}},
};

struct RateCase {
    int warmup, step, total;
    double rate;
};

// From transformers' get_linear_schedule_with_warmup, lr 3e-4.
const RateCase kRateCases[] = {
    {100, 0, 250, 0},
    {100, 1, 250, 3e-6},
    {100, 99, 250, 2.97e-4},
    {100, 100, 250, 3e-4},
    {100, 125, 250, 2.5e-4},
    {100, 249, 250, 2e-6},
    {0, 0, 10, 3e-4},
    {0, 9, 10, 3e-5},
    {5, 0, 5, 0},
    {5, 4, 5, 2.4e-4},
    {3, 5, 10, 2.14285714285714285e-4},
    {3, 9, 10, 4.285714285714285e-5},
};

std::vector<float> gradient_of(int step) {
    std::vector<float> out;
    for (int i = 0; i < kParameters; ++i) {
        out.push_back(static_cast<float>(std::sin(step * (i + 1)) * (0.5 + i)));
    }
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("optimiser");

TEST_CASE("row 5: AdamW computes what torch computes") {
    for (const AdamCase& c : kAdamCases) {
        CAPTURE(c.name);
        AdamW adam(c.options, kParameters);
        std::vector<float> values{0.5F, -1.25F, 2, 0};
        double norm = 0;
        for (int step = 1; step <= 10; ++step) {
            auto gradient = gradient_of(step);
            norm = adam.step(values, gradient, 0.01);
        }
        CHECK(norm == doctest::Approx(3.853791314270098).epsilon(1e-6));
        CHECK(adam.steps() == 10);
        for (std::size_t i = 0; i < kParameters; ++i) {
            CAPTURE(i);
            CHECK(std::abs(values[i] - c.values[i]) <= kTolerance * std::abs(c.values[i]) + 1e-7);
            CHECK(std::abs(adam.first()[i] - c.first[i]) <= kTolerance * std::abs(c.first[i]));
            CHECK(std::abs(adam.second()[i] - c.second[i]) <= kTolerance * c.second[i]);
        }
    }
}

TEST_CASE("row 5: the rate of learning is Hugging Face's, whose first step learns nothing") {
    for (const RateCase& c : kRateCases) {
        CAPTURE(c.warmup);
        CAPTURE(c.step);
        const double rate = learning_rate_at({.warmup_steps = c.warmup}, c.step, c.total);
        CHECK(rate == doctest::Approx(c.rate).epsilon(1e-12));
    }
}

TEST_CASE("a gradient of zero changes nothing, as that of A at the first step") {
    AdamW adam({}, kParameters);
    const std::vector<float> before{0.5F, -1.25F, 2, 0};
    std::vector<float> values = before, gradient(kParameters);
    CHECK(adam.step(values, gradient, 0.01) == 0);
    CHECK(values == before);
}

TEST_CASE("row 14: a gradient that is not finite changes nothing and says so") {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        AdamW adam({}, kParameters);
        const std::vector<float> before{0.5F, -1.25F, 2, 0};
        std::vector<float> values = before, gradient{1, bad, 1, 1};
        CHECK_THROWS_AS(adam.step(values, gradient, 0.01), jikji::Error);
        CHECK(values == before);
        CHECK(adam.steps() == 0);
        CHECK(adam.first()[0] == 0);
    }
}

TEST_CASE("a resumed optimiser goes on bit for bit") {
    AdamW whole({}, kParameters), second({}, kParameters);
    std::vector<float> a{0.5F, -1.25F, 2, 0};
    std::vector<float> b;
    for (int step = 1; step <= 8; ++step) {
        if (step == 5) {
            b = a;
            std::copy(whole.first().begin(), whole.first().end(), second.first().begin());
            std::copy(whole.second().begin(), whole.second().end(), second.second().begin());
            second.resume(whole.steps());
        }
        auto gradient = gradient_of(step);
        auto same = gradient;
        whole.step(a, gradient, 0.01);
        if (step >= 5) second.step(b, same, 0.01);
    }
    CHECK(a == b);
}

TEST_SUITE_END();
