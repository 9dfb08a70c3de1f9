#include "cli/interrupt.hpp"

#include <atomic>
#include <csignal>

namespace jikji::cli {
namespace {

// A signal handler has no other way to tell: the one mutable global of this folder.
std::atomic<int> interrupts{0};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int) noexcept { interrupts.fetch_add(1, std::memory_order_relaxed); }

void handle(void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;  // no SA_RESTART: read() must return
    ::sigaction(SIGINT, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
    forget();
    handle(on_signal);
}

Interrupt::~Interrupt() { handle(SIG_DFL); }

int Interrupt::count() const { return interrupts.load(std::memory_order_relaxed); }
void Interrupt::forget() { interrupts.store(0, std::memory_order_relaxed); }

}  // namespace jikji::cli
