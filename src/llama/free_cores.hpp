#pragma once
// How many threads the next step should use: no more than the cores that other programs leave.
// ggml's threads wait for each other hundreds of times a step; when another program takes a core
// for a few milliseconds all of them stand still. Measured on 2 cores beside a
// compiler on both: 6 to 36 tokens/s with two threads, 102 to 117 with one (docs/decisions/0006).
// What runs with a positive nice value stands back for us and is not counted: a training job of our
// own would else take half of the cores from every chat beside it (docs/decisions/0020).
// Source   Linux's /proc/stat (proc(5)); elsewhere the number given is used as it is.
// Threads  one at a time.
#include <cstdint>
#include <optional>
#include <string_view>

namespace jikji::llama {

/// What all processors did since the machine started, in clock ticks.
struct CpuTicks {
    std::int64_t busy = 0;  // but for what stands back
    std::int64_t nice = 0;  // of programs with a positive nice value
    std::int64_t total = 0;
};

/// From the text of /proc/stat: its first line. Nothing if it is not as expected.
std::optional<CpuTicks> parse_cpu_ticks(std::string_view proc_stat);

/// `others`: cores' worth of time that other programs took. At least 1.
int threads_beside(int threads, int processors, double others);

class FreeCores {
public:
    explicit FreeCores(int threads);

    /// Looks at the machine about ten times a second.
    int threads();

private:
    struct Sample {
        CpuTicks machine;
        double own_seconds = 0;
        double wall_seconds = 0;
    };
    static std::optional<Sample> look();

    int full_;
    int now_;
    int processors_;
    bool nice_;  // we stand back ourselves
    std::optional<Sample> last_;
};

}  // namespace jikji::llama
