#include "engine/step_plan.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace jikji::engine {
namespace {

constexpr int kPortion = 64;  // tokens that a tenant gets in its turn

using Served = std::map<std::string, double>;  // by tenant, this step included

PromptPart* next_part(std::vector<PromptPart>& parts, const Served& served) {
    PromptPart* best = nullptr;
    const auto order = [&](const PromptPart& part) {
        return std::tuple(part.lane, served.at(*part.tenant), part.rank);
    };
    for (PromptPart& part : parts) {
        if (part.given >= part.remaining) continue;
        if (best == nullptr || order(part) < order(*best)) best = &part;
    }
    return best;
}

}  // namespace

void share_step(std::vector<PromptPart>& parts, const StepLimits& limits, const CostModel& costs,
                const Shares& shares) {
    Served served;
    for (const PromptPart& part : parts) served[*part.tenant] = shares.served(*part.tenant);
    StepWork work;
    int given = 0;
    while (given < limits.most) {
        PromptPart* part = next_part(parts, served);
        if (part == nullptr) return;
        const int portion =
            std::min({kPortion, part->remaining - part->given, limits.most - given});
        const int computed = part->computed + part->given;
        int tokens = costs.prompt_tokens_within(work, limits.seconds, computed, portion);
        tokens = std::max(tokens, std::min(portion, limits.least - given));
        if (tokens <= 0) return;
        part->given += tokens;
        given += tokens;
        served[*part->tenant] += tokens;
        add_prompt(work, computed, tokens);
    }
}

}  // namespace jikji::engine
