#pragma once
// A child process with limits: no shell, a fixed argument list, bytes in on standard input, bytes
// out on standard output. Threads: any; blocks the caller.
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace jikji {

struct ChildLimits {
    std::chrono::seconds time{30};               // wall clock and CPU, each; 0 = none
    std::uint64_t memory_bytes = 1024ull << 20;  // address space; 0 = none
    std::uint64_t output_bytes = 64ull << 20;    // standard output
    bool network = false;                        // may open sockets
};

struct ChildResult {
    int exit_code = 0;       // -1 if a signal ended it
    int signal = 0;          // that one, ours included; 0 = none
    bool timed_out = false;  // we killed it for time
    bool too_much_output = false;
    std::string output;  // standard output
    std::string errors;  // standard error, the first 64 KB
};

/// Runs argv[0] (found through PATH) and waits for it. `poll`, if given, is called about ten times
/// a second; returning false kills the child. Throws Error(kInternal) if it cannot be started.
ChildResult run_child(const std::vector<std::string>& argv, std::string_view input,
                      const ChildLimits& limits, const std::function<bool()>& poll = {});

/// What the owner of a long-running child wants of it.
enum class ChildWish {
    kGoOn,
    kStop,  // SIGTERM, once: it may take its time
    kKill,
};

struct ChildListener {
    std::function<void(std::string_view line)> line;  // of standard output, without its end
    std::function<ChildWish()> wish;                  // about ten times a second
};

/// The same for a child that talks while it works: lines go to the listener as they come, and are
/// not kept; `output_bytes` then limits one line. What the listener throws kills the child and is
/// passed on.
ChildResult run_talking_child(const std::vector<std::string>& argv, const ChildLimits& limits,
                              const ChildListener& listener);

/// Whether a program of that name is on the PATH.
bool program_exists(std::string_view name);

}  // namespace jikji
