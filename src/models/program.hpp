#pragma once
// Runs a program of the system that needs the user's own environment (proxies, certificates), which
// base/child.hpp takes away on purpose. No shell. Threads: one at a time.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace jikji::models {

struct ProgramResult {
    int exit_code = 0;   // 127 if there is no such program, 128 + signal if one ended it
    std::string output;  // standard output, the first 16 MB
    std::string errors;  // standard error, the first 64 KB
};

/// `poll` is called about ten times a second; returning false ends the program.
/// The program dies with us, so that no two of them ever write to one file.
ProgramResult run_program(const std::vector<std::string>& argv,
                          const std::function<bool()>& poll = {});

}  // namespace jikji::models
