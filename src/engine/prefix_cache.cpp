#include "engine/prefix_cache.hpp"

#include <algorithm>

namespace jikji::engine {
namespace {

// A request that comes right after a start waits so long for the look at the old files.
constexpr auto kScanPatience = std::chrono::seconds(2);
constexpr auto kWait = std::chrono::milliseconds(1);

std::uint64_t disk_limit(const PrefixCacheOptions& options) {
    return options.disk.folder.empty() ? 0 : options.disk_bytes_max;
}

}  // namespace

PrefixCache::PrefixCache(const PrefixCacheOptions& options)
    : options_(options),
      tree_({.memory_bytes_max = options.memory_bytes_max, .disk_bytes_max = disk_limit(options)}) {
    if (disk_limit(options) == 0) return;
    disk_ = std::make_unique<KvDisk>(options.disk);
    tree_.on_left_disk = [this](const PrefixBlock& block) { disk_->remove(block.id); };
    scanned_ = false;
    scan_awaited_until_ = std::chrono::steady_clock::now() + kScanPatience;
}

bool PrefixCache::fetched(const std::string& root, std::span<const Token> tokens, bool whole,
                          bool& asked) {
    if (!scanned_ && std::chrono::steady_clock::now() < scan_awaited_until_) return false;
    bool all = true;
    std::uint64_t room = options_.memory_bytes_max / 2;
    for (PrefixBlock* block : tree_.find(root, tokens, whole, /*used=*/!asked).blocks) {
        if (!asked && !block->state && !block->loading) {
            if (block->bytes > room) break;  // it would push out its own beginning
            disk_->load(block->id);
            block->loading = true;
        }
        room -= std::min(room, block->bytes);
        if (block->loading) all = false;
    }
    asked = true;
    return all;
}

int PrefixCache::known(const std::string& root, std::span<const Token> tokens, bool whole) {
    return tree_.find(root, tokens, whole, /*used=*/false).tokens;
}

PrefixPath PrefixCache::find(const std::string& root, std::span<const Token> tokens, bool whole) {
    PrefixPath path = tree_.find(root, tokens, whole, /*used=*/true);
    const auto gap = std::find_if(path.blocks.begin(), path.blocks.end(),
                                  [](const PrefixBlock* block) { return !block->state; });
    if (gap == path.blocks.end()) return path;
    path.tokens = (*gap)->start;
    path.blocks.erase(gap, path.blocks.end());
    return path;
}

void PrefixCache::put(const std::string& root, std::span<const Token> tokens, bool whole,
                      const std::function<std::string(int start, int end)>& save,
                      double seconds_per_token) {
    const PrefixPath path = tree_.find(root, tokens, whole, /*used=*/true);
    const int count = static_cast<int>(tokens.size());
    const int step = whole ? std::max(count, 1) : PrefixTree::kBlockTokens;
    PrefixBlock* at = &tree_.root(root);
    for (PrefixBlock* block : path.blocks) {
        const bool full = static_cast<int>(block->tokens.size()) == step;
        if (full && block->end() <= path.tokens && !whole) at = block;
    }
    while (at->end() < count) {
        const int start = at->end();
        const int end = std::min(start + step, count);
        if (path.tokens >= end) break;
        auto state = std::make_shared<const std::string>(save(start, end));
        if (state->empty()) break;
        const auto part =
            tokens.subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start));
        const std::uint64_t bytes = state->size();
        PrefixBlock* added = tree_.add(*at, {{part.begin(), part.end()},
                                             std::move(state),
                                             bytes,
                                             seconds_per_token * (end - start)});
        if (added == nullptr) break;
        store(*added);
        at = added;
    }
    tree_.trim();
    publish();
}

void PrefixCache::store(PrefixBlock& block) {
    if (!disk_) return;
    KvHeader header;
    header.id = block.id;
    header.parent = block.parent->id;
    header.start = block.start;
    header.tokens = block.tokens;
    header.seconds = block.seconds;
    if (disk_->store(std::move(header), block.state)) tree_.set_on_disk(block, true);
}

void PrefixCache::forget(const std::string& tenant) {
    tree_.forget_tenant(tenant);
    if (!scanned_) forgotten_.push_back(tenant);
    publish();
}

void PrefixCache::poll() {
    if (!disk_) return;
    auto events = disk_->events();
    if (events.empty()) return;
    for (KvDisk::Event& event : events) take_in(event);
    tree_.trim();
    publish();
}

void PrefixCache::take_in(KvDisk::Event& event) {
    using Kind = KvDisk::Event::Kind;
    if (event.kind == Kind::kScanned) {
        scanned_ = true;
        forgotten_.clear();
    }
    if (event.kind == Kind::kFound) return found(event);
    PrefixBlock* block = tree_.block(event.id);
    if (block == nullptr) return;
    block->loading = false;
    if (event.kind == Kind::kLoaded && !block->state) tree_.set_state(*block, event.state);
    if (event.kind == Kind::kLost) {
        tree_.set_on_disk(*block, false);
        if (!block->state) tree_.drop(*block);
    }
}

// A file from before. Without what it follows it is of no use.
void PrefixCache::found(KvDisk::Event& event) {
    KvHeader& header = event.header;
    if (PrefixBlock* block = tree_.block(header.id); block != nullptr) {
        return tree_.set_on_disk(*block, true);
    }
    const bool forgotten =
        header.start == 0 &&
        std::any_of(forgotten_.begin(), forgotten_.end(), [&](const std::string& tenant) {
            return PrefixTree::is_of(header.parent, tenant);
        });
    if (forgotten) return disk_->remove(header.id);
    PrefixBlock* parent =
        header.start == 0 ? &tree_.root(header.parent) : tree_.block(header.parent);
    if (parent == nullptr || parent->end() != header.start ||
        tree_.add(*parent, {std::move(header.tokens), nullptr, header.state_bytes, header.seconds,
                            event.freshness}) == nullptr) {
        disk_->remove(header.id);
    }
}

void PrefixCache::wait() {
    if (disk_) disk_->wait(kWait);
}

void PrefixCache::publish() {
    memory_bytes_ = tree_.memory_bytes();
    disk_bytes_ = tree_.disk_bytes();
    blocks_ = tree_.blocks();
}

PrefixCacheStats PrefixCache::stats() const { return {blocks_, memory_bytes_, disk_bytes_}; }

}  // namespace jikji::engine
