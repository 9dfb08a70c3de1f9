#pragma once
// How much memory this process may still take. Threads: any.
#include <cstdint>
#include <filesystem>

namespace jikji::models {

/// Bytes: what the machine has available (MemAvailable of /proc/meminfo), or what the control
/// groups of this process leave (version 2 or 1, each up to the root), if that is less; at least 1.
/// What a group holds of files is counted as free: the kernel drops it first. 0 if unknown. `root`:
/// where /proc and /sys are, for tests.
std::uint64_t memory_available(const std::filesystem::path& root);
std::uint64_t memory_available();

}  // namespace jikji::models
