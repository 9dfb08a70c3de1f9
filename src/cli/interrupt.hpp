#pragma once
// Ctrl-C while a command works: counted instead of ending the program. Threads: any.

namespace jikji::cli {

/// One at a time. While it lives, SIGINT only counts; a wait for input is interrupted by it.
class Interrupt {
public:
    Interrupt();
    ~Interrupt();  // SIGINT means again what it meant before
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    int count() const;
    void forget();  // count() is 0 again
};

}  // namespace jikji::cli
