#include "llama/thread_governor.hpp"

#include <algorithm>

namespace jikji::llama {
namespace {

constexpr double kWindowSeconds = 0.05;  // long enough for the scheduler's time slices to show
constexpr double kBusyShare = 0.9;       // below: others want the cores
constexpr double kFirstRest = 0.25;
constexpr double kLongestRest = 2.0;

}  // namespace

void ThreadGovernor::record(double wall_seconds, double cpu_seconds) {
    if (full_ < 2) return;
    if (now_ < full_) {
        rest_ -= wall_seconds;
        if (rest_ <= 0) now_ = full_;
        wall_ = cpu_ = 0;
        return;
    }
    wall_ += wall_seconds;
    cpu_ += cpu_seconds;
    if (wall_ < kWindowSeconds) return;
    const double share = cpu_ / (wall_ * full_);
    wall_ = cpu_ = 0;
    if (share >= kBusyShare) {
        patience_ = 0;
        return;
    }
    now_ = std::clamp(static_cast<int>(share * full_), 1, full_ - 1);
    patience_ = patience_ == 0 ? kFirstRest : std::min(2 * patience_, kLongestRest);
    rest_ = patience_;
}

}  // namespace jikji::llama
