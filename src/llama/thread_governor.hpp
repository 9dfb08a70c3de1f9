#pragma once
// How many threads the next step should use. ggml's threads wait for each other hundreds of times
// a step; when another program takes a core for a few milliseconds, all of them stand still, and
// two threads become slower than one (measured beside a compiler on 2 cores: 35 against 110
// tokens/s). So: less CPU time than threads x wall time means that we are being interrupted, and
// fewer threads are used for a while.
// Threads: one at a time.

namespace jikji::llama {

class ThreadGovernor {
public:
    explicit ThreadGovernor(int threads) : full_(threads), now_(threads) {}

    int threads() const { return now_; }

    /// What the last step took: seconds on the clock, and CPU seconds of the whole process.
    void record(double wall_seconds, double cpu_seconds);

private:
    int full_;
    int now_;
    double wall_ = 0;  // of the window
    double cpu_ = 0;
    double rest_ = 0;      // seconds of work until the full number is tried again
    double patience_ = 0;  // how long the last rest was
};

}  // namespace jikji::llama
