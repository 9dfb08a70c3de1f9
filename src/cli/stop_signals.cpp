#include "cli/stop_signals.hpp"

#include <ctime>

namespace jikji::cli {
namespace {

constexpr timespec kLook{0, 100'000'000};  // how soon its end is noticed

}  // namespace

StopSignals::StopSignals() {
    sigemptyset(&waited_);
    sigaddset(&waited_, SIGTERM);
    sigaddset(&waited_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &waited_, &before_);
    waiter_ = std::thread([this] {
        while (!over_) {
            if (sigtimedwait(&waited_, nullptr, &kLook) > 0) stopped_ = true;
        }
    });
}

StopSignals::~StopSignals() {
    over_ = true;
    waiter_.join();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace jikji::cli
