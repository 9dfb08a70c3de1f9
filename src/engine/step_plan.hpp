#pragma once
// How many tokens of which prompts are computed in the next step. Pure.
//
// Limit    what the cost model says the step may hold within the gap that streams tolerate between
//          two tokens (Sarathi-Serve: Agrawal et al. 2024, arXiv:2403.02310), but never less than a
//          small chunk, so that prompts always get on. Where nobody's answer waits: a full pass.
// Order    lanes, then tenants by what they have been served, then the rank of each prompt, in
//          portions, so that a short prompt begins at once beside a long one of another tenant.
#include <limits>
#include <string>
#include <vector>

#include "engine/cost_model.hpp"
#include "engine/fair_queue.hpp"

namespace jikji::engine {

struct PromptPart {
    const std::string* tenant = nullptr;
    Lane lane = Lane::kInteractive;
    double rank = 0;    // among its tenant's: the lowest first
    int computed = 0;   // tokens that are there
    int remaining = 0;  // tokens that are not
    int given = 0;      // the answer: of these, in the next step
};

struct StepLimits {
    double seconds = std::numeric_limits<double>::infinity();  // of the pass
    int least = 32;  // tokens, whatever they take: matrix products are poor below
    int most = 512;
};

/// Fills `given`.
void share_step(std::vector<PromptPart>& parts, const StepLimits& limits, const CostModel& costs,
                const Shares& shares);

}  // namespace jikji::engine
