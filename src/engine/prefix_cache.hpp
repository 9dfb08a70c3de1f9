#pragma once
// What was computed of which beginnings, in memory and on disk, for all models of an engine: the
// tree decides, the disk thread reads and writes. Outside the KV cells, because every running
// sequence pays for used cells at each step.
// Privacy: it holds what people wrote. Roots keep tenants apart; disk_bytes_max = 0 keeps it off
// the disk; forget() takes out what is one tenant's. Threads: one (the engine's compute thread),
// except stats().
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/kv_disk.hpp"
#include "engine/prefix_tree.hpp"

namespace jikji::engine {

struct PrefixCacheOptions {
    std::uint64_t memory_bytes_max = 256u << 20;
    std::uint64_t disk_bytes_max = 0;  // 0 = no disk
    KvDiskOptions disk;                // its folder; none = no disk
};

class PrefixCache {
public:
    using State = std::shared_ptr<const std::string>;

    explicit PrefixCache(const PrefixCacheOptions& options);

    /// Has what is on disk of the beginning of `tokens` read into memory, once: `asked` is false
    /// the first time, and then kept by the caller. False: it is coming; ask again after poll().
    bool fetched(const std::string& root, std::span<const Token> tokens, bool whole, bool& asked);

    /// Tokens of the longest known beginning, in memory or on disk.
    int known(const std::string& root, std::span<const Token> tokens, bool whole);

    /// What is in memory of the beginning, as blocks from position 0 on; it is used now.
    PrefixPath find(const std::string& root, std::span<const Token> tokens, bool whole);

    /// Keeps `tokens`, of which `save(start, end)` gives the state of a range; asked only for what
    /// is not known yet. `whole`: as one block. An empty state ends it.
    void put(const std::string& root, std::span<const Token> tokens, bool whole,
             const std::function<std::string(int start, int end)>& save, double seconds_per_token);

    /// A state that cannot be put back is none.
    void drop(PrefixBlock& block) { tree_.drop(block); }
    /// All that is kept for one tenant, whichever model computed it.
    void forget(const std::string& tenant);

    /// Takes in what the disk thread has done.
    void poll();
    /// Waits a moment for the disk thread to do something.
    void wait();

    PrefixCacheStats stats() const;

private:
    void take_in(KvDisk::Event& event);
    void found(KvDisk::Event& event);
    void store(PrefixBlock& block);
    void publish();

    PrefixCacheOptions options_;
    PrefixTree tree_;
    std::unique_ptr<KvDisk> disk_;
    bool scanned_ = true;
    std::vector<std::string> forgotten_;  // tenants, while old files are still being found
    std::chrono::steady_clock::time_point scan_awaited_until_;
    std::atomic<std::uint64_t> memory_bytes_{0};
    std::atomic<std::uint64_t> disk_bytes_{0};
    std::atomic<std::size_t> blocks_{0};
};

}  // namespace jikji::engine
