#pragma once
// What was computed of which beginnings: a radix tree of token blocks with the state of each block,
// so that what many conversations share is stored once. Knows no disk and no llama; it decides.
//
// Roots    one for each namespace: model, layout of the state, tenant. Nothing crosses a root.
// Blocks   of a fixed number of tokens at fixed positions; the last of a path may be shorter, has
//          no children, and gives way to a longer one that begins with it.
// Value    seconds to compute a block again, for each byte, and how recently it was used
//          (GreedyDual-Size: Cao & Irani 1997). A block only goes after those that follow it.
// Tiers    a block's state is in memory, on disk, or both; in neither, it leaves the tree.
// Threads  one at a time (the engine's compute thread). Block pointers: valid until the next call
//          that adds, drops or trims. A state lives as long as somebody holds it.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/request.hpp"

namespace jikji::engine {

struct PrefixBlock {
    std::string id;             // 32 hex digits: of the root and every token up to this one's end
    int start = 0;              // position of its first token
    std::vector<Token> tokens;  // at least one
    std::shared_ptr<const std::string> state;  // null: not in memory
    std::uint64_t bytes = 0;                   // of its state, wherever it is
    double seconds = 0;                        // to compute it again
    double value = 0;                          // the lowest goes first
    std::uint64_t used = 0;                    // counts uses; of equal value the older goes
    bool on_disk = false;
    bool loading = false;           // being read from the disk
    PrefixBlock* parent = nullptr;  // null: a root, which has no tokens
    std::vector<std::unique_ptr<PrefixBlock>> children;

    int end() const { return start + static_cast<int>(tokens.size()); }
};

struct PrefixTreeOptions {
    std::uint64_t memory_bytes_max = 256u << 20;
    std::uint64_t disk_bytes_max = 0;
    std::size_t blocks_max = 32768;  // in all; a walk over them takes about a millisecond
};

/// Where a sequence of tokens leads: blocks from the root on, and how many tokens of the last one.
struct PrefixPath {
    std::vector<PrefixBlock*> blocks;
    int tokens = 0;  // that agree, in all
};

class PrefixTree {
public:
    explicit PrefixTree(const PrefixTreeOptions& options) : options_(options) {}

    static constexpr int kBlockTokens = 64;

    /// The longest known beginning of `tokens`. `whole`: only blocks whose every token agrees.
    /// `touch`: it is used now.
    PrefixPath find(const std::string& root, std::span<const Token> tokens, bool whole, bool touch);

    /// Puts a block behind `parent`, in place of shorter ones that it begins with. Null if it is
    /// known already, or the beginning of one that is.
    struct Added {
        std::vector<Token> tokens;
        std::shared_ptr<const std::string> state;  // null: it is on disk
        std::uint64_t bytes = 0;                   // of the state
        double seconds = 0;
        double freshness = 1;  // 0..1: below 1, its value counts for less from the beginning
    };
    PrefixBlock* add(PrefixBlock& parent, Added block);

    PrefixBlock& root(const std::string& id);   // made if need be
    PrefixBlock* block(const std::string& id);  // null: not known

    void set_state(PrefixBlock& block, std::shared_ptr<const std::string> state);
    void set_on_disk(PrefixBlock& block, bool on_disk);

    /// Takes out the block (no root) and all that follows it.
    void drop(PrefixBlock& block);
    /// Takes out every root of that tenant, of any layout, with all that follows.
    void forget_tenant(std::string_view tenant);

    /// Frees what is beyond the limits.
    void trim();

    /// Told each block that leaves the disk: its file can go.
    std::function<void(const PrefixBlock&)> on_left_disk;

    std::uint64_t memory_bytes() const { return memory_bytes_; }
    std::uint64_t disk_bytes() const { return disk_bytes_; }
    std::size_t blocks() const { return by_id_.size(); }

    /// Names of a root and of a block behind `parent_id`. A root's name says whose it is, so that
    /// one tenant's can be found again whatever computed them, after a restart as well.
    static std::string root_id(std::string_view layout, std::string_view tenant);
    static bool is_of(std::string_view root_id, std::string_view tenant);
    static std::string block_id(std::string_view parent_id, std::span<const Token> tokens);

private:
    enum class Tier { kMemory, kDisk, kAny };
    static bool stands_in(const PrefixBlock& block, Tier tier);
    bool make_way(PrefixBlock& parent, std::span<const Token> tokens);
    void touch(PrefixBlock& block, double freshness = 1);
    void count(const PrefixBlock& block, int sign);
    void forget(PrefixBlock& block);
    PrefixBlock* cheapest(Tier tier);
    void drop_if_nowhere(PrefixBlock& block);

    PrefixTreeOptions options_;
    std::map<std::string, PrefixBlock> roots_;
    std::unordered_map<std::string, PrefixBlock*> by_id_;
    std::uint64_t memory_bytes_ = 0;
    std::uint64_t disk_bytes_ = 0;
    std::uint64_t uses_ = 0;
    double clock_ = 0;  // the value of what went last: what is used now is worth that and its own
};

}  // namespace jikji::engine
