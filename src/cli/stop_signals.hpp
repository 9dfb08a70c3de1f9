#pragma once
// SIGTERM and SIGINT as a wish instead of an end.
#include <atomic>
#include <csignal>
#include <thread>

namespace jikji::cli {

/// While it lives, both signals set stopped(). Make it before any other thread: those that are
/// started later leave these signals to it.
class StopSignals {
public:
    StopSignals();
    ~StopSignals();
    StopSignals(const StopSignals&) = delete;
    StopSignals& operator=(const StopSignals&) = delete;

    const std::atomic<bool>& stopped() const { return stopped_; }

private:
    sigset_t waited_;
    sigset_t before_;
    std::atomic<bool> stopped_{false};
    std::atomic<bool> over_{false};
    std::thread waiter_;
};

}  // namespace jikji::cli
