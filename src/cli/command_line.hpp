#pragma once
// The command line: what can be typed, its help in Korean and English, and its exit codes.

namespace jikji::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;  // the command line was not understood

/// Runs the command that the arguments name and returns the exit code. Throws nothing.
int run(int argc, const char* const* argv);

}  // namespace jikji::cli
