#include "models/machine_memory.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <random>
#include <string>

using namespace jikji::models;
namespace fs = std::filesystem;

namespace {

std::uint64_t available(const std::map<std::string, std::string>& files) {
    const fs::path root =
        fs::temp_directory_path() / ("jikji-memory-" + std::to_string(std::random_device{}()));
    for (const auto& [path, text] : files) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    }
    const std::uint64_t out = memory_available(root);
    fs::remove_all(root);
    return out;
}

const std::pair<const std::string, std::string> kMachine = {
    "proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:  4000 kB\n"};

}  // namespace

TEST_SUITE_BEGIN("machine_memory");

TEST_CASE("memory that is left: of the machine, or of the tightest group") {
    CHECK(available({}) == 0);
    CHECK(available({kMachine}) == 4'096'000);
    CHECK(available({kMachine,
                     {"sys/fs/cgroup/memory.max", "max\n"},
                     {"sys/fs/cgroup/memory.current", "100\n"}}) == 4'096'000);
    CHECK(available({kMachine,
                     {"sys/fs/cgroup/memory.max", "1000000\n"},
                     {"sys/fs/cgroup/memory.current", "300000\n"}}) == 700'000);
    CHECK(available({kMachine,  // pages of files are dropped when others need them
                     {"sys/fs/cgroup/memory.max", "1000000\n"},
                     {"sys/fs/cgroup/memory.current", "300000\n"},
                     {"sys/fs/cgroup/memory.stat",
                      "anon 5\nactive_file 50000\ninactive_file 150000\n"}}) == 900'000);
    CHECK(available({kMachine,
                     {"proc/self/cgroup", "0::/a/b\n"},
                     {"sys/fs/cgroup/a/memory.max", "500000\n"},
                     {"sys/fs/cgroup/a/memory.current", "100000\n"},
                     {"sys/fs/cgroup/a/b/memory.max", "max\n"},
                     {"sys/fs/cgroup/a/b/memory.current", "90000\n"}}) == 400'000);
    CHECK(available({kMachine,
                     {"proc/self/cgroup", "5:cpu:/x\n7:memory:/y\n"},
                     {"sys/fs/cgroup/memory/y/memory.limit_in_bytes", "800000\n"},
                     {"sys/fs/cgroup/memory/y/memory.usage_in_bytes", "900000\n"}}) == 1);
}

TEST_SUITE_END();
