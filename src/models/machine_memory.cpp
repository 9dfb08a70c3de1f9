#include "models/machine_memory.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace jikji::models {
namespace {

namespace fs = std::filesystem;
constexpr auto kNoLimit = std::numeric_limits<std::uint64_t>::max();

/// The number behind `label` at the start of a line.
std::optional<std::uint64_t> number_in(const fs::path& path, std::string_view label) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with(label)) continue;
        char* end = nullptr;
        const char* from = line.c_str() + label.size();
        const std::uint64_t number = std::strtoull(from, &end, 10);
        if (end != from) return number;
    }
    return std::nullopt;
}

struct Names {
    const char* limit;
    const char* used;
    const char* files_idle;
    const char* files_in_use;
};
constexpr Names kVersion2 = {"memory.max", "memory.current", "inactive_file ", "active_file "};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                             "total_inactive_file ", "total_active_file "};

std::uint64_t left_in(const fs::path& group, const Names& names) {
    const auto limit = number_in(group / names.limit, "");  // "max" is no number
    const auto used = number_in(group / names.used, "");
    if (!limit || !used) return kNoLimit;
    const std::uint64_t files = number_in(group / "memory.stat", names.files_idle).value_or(0) +
                                number_in(group / "memory.stat", names.files_in_use).value_or(0);
    const std::uint64_t kept = *used - std::min(*used, files);
    return *limit - std::min(*limit, kept);
}

/// The least that a group, or one above it, leaves. In a container's own view the path of the group
/// may not be there; its limits are then those of the root.
std::uint64_t left_up_to(const fs::path& mount, const std::string& group, const Names& names) {
    std::uint64_t least = left_in(mount, names);
    fs::path at = mount;
    for (const fs::path& part : fs::path(group).relative_path()) {
        at /= part;
        least = std::min(least, left_in(at, names));
    }
    return least;
}

std::uint64_t left_in_groups(const fs::path& root) {
    const fs::path mount = root / "sys/fs/cgroup";
    std::uint64_t least = std::min(left_in(mount, kVersion2), left_in(mount / "memory", kVersion1));
    std::ifstream file(root / "proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {  // "0::/a/b", or "7:memory:/a/b"
        const auto first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos) continue;
        const std::string kind = line.substr(first + 1, second - first - 1);
        const std::string group = line.substr(second + 1);
        if (kind.empty()) least = std::min(least, left_up_to(mount, group, kVersion2));
        if (kind == "memory") {
            least = std::min(least, left_up_to(mount / "memory", group, kVersion1));
        }
    }
    return least;
}

}  // namespace

std::uint64_t memory_available(const fs::path& root) {
    const auto kilobytes = number_in(root / "proc/meminfo", "MemAvailable:");
    const std::uint64_t machine = kilobytes ? *kilobytes * 1024 : kNoLimit;
    const std::uint64_t least = std::min(machine, left_in_groups(root));
    return least == kNoLimit ? 0 : std::max<std::uint64_t>(least, 1);
}

std::uint64_t memory_available() { return memory_available("/"); }

}  // namespace jikji::models
