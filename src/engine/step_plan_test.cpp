#include "engine/step_plan.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace jikji::engine;

namespace {

const std::string kAlice = "alice", kBob = "bob";

std::vector<int> given(std::vector<PromptPart> parts, const StepLimits& limits,
                       const Shares& shares = {}) {
    share_step(parts, limits, CostModel(), shares);
    std::vector<int> out;
    for (const PromptPart& part : parts) out.push_back(part.given);
    return out;
}

int sum(const std::vector<int>& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), 0);
}

PromptPart part(const std::string& tenant, int remaining, int computed = 0) {
    return {&tenant, Lane::kInteractive, double(remaining), computed, remaining, 0};
}

constexpr double kNoTime = 0, kMuchTime = 1e9;

}  // namespace

TEST_SUITE_BEGIN("step_plan");

TEST_CASE("where there is time a prompt gets a full pass") {
    CHECK(given({part(kAlice, 3400)}, {kMuchTime, 32, 512}) == std::vector<int>{512});
}

TEST_CASE("the short prompt goes first, and the rest of the step is the long one's") {
    CHECK(given({part(kAlice, 3400), part(kAlice, 100)}, {kMuchTime, 32, 512}) ==
          std::vector<int>{412, 100});
    CHECK(given({part(kAlice, 3400), part(kAlice, 100)}, {kNoTime, 32, 512}) ==
          std::vector<int>{0, 32});
}

TEST_CASE("between tenants it is shared, and who was served less comes first") {
    const std::vector<int> even =
        given({part(kAlice, 3400), part(kBob, 2000)}, {kMuchTime, 32, 512});
    CHECK(even == std::vector<int>{256, 256});
    Shares shares;
    shares.enter(kAlice);
    shares.enter(kBob);
    shares.serve(kBob, 192);
    CHECK(given({part(kAlice, 3400), part(kBob, 2000)}, {kMuchTime, 32, 512}, shares) ==
          std::vector<int>{320, 192});
}

TEST_CASE("a batch prompt takes what interactive ones leave") {
    PromptPart batch = part(kBob, 50);
    batch.lane = Lane::kBatch;
    CHECK(given({batch, part(kAlice, 3400)}, {kMuchTime, 32, 512}) == std::vector<int>{0, 512});
    CHECK(given({batch, part(kAlice, 100)}, {kMuchTime, 32, 512}) == std::vector<int>{50, 100});
}

TEST_CASE("the step keeps its limit where it can, and a small chunk always gets on") {
    const CostModel costs;
    StepWork work;
    const double limit = 0.2;
    const int joined = sum(given({part(kAlice, 3400, 500)}, {limit, 1, 512}));
    CHECK(joined > 1);
    CHECK(joined < 512);
    add_prompt(work, 500, joined);
    CHECK(costs.seconds(work) <= limit);
    CHECK(sum(given({part(kAlice, 3400, 500)}, {kNoTime, 48, 512})) == 48);
    CHECK(sum(given({part(kAlice, 20, 500)}, {kNoTime, 48, 512})) == 20);
    CHECK(sum(given({part(kAlice, 20), part(kBob, 90)}, {kNoTime, 48, 512})) == 48);
}

TEST_SUITE_END();
