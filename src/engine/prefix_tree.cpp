#include "engine/prefix_tree.hpp"

#include <algorithm>
#include <utility>

#include "base/ids.hpp"

namespace jikji::engine {
namespace {

constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kTenantDigits = 16;  // of a root's name

int common(std::span<const Token> a, std::span<const Token> b) {
    const auto length = std::min(a.size(), b.size());
    const auto differs =
        std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(length), b.begin());
    return static_cast<int>(differs.first - a.begin());
}

std::string digest(std::string_view first, std::string_view second) {
    Sha256 sha;
    sha.update(std::to_string(first.size()) + ":");
    sha.update(first);
    sha.update(second);
    return sha.finish_hex().substr(0, kIdDigits);
}

std::string tenant_digits(std::string_view tenant) {
    return digest("tenant", tenant).substr(0, kTenantDigits);
}

}  // namespace

std::string PrefixTree::root_id(std::string_view layout, std::string_view tenant) {
    return tenant_digits(tenant) + digest(layout, tenant).substr(kTenantDigits);
}

bool PrefixTree::is_of(std::string_view root_id, std::string_view tenant) {
    return root_id.starts_with(tenant_digits(tenant));
}

std::string PrefixTree::block_id(std::string_view parent_id, std::span<const Token> tokens) {
    return digest(parent_id,
                  {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(Token)});
}

PrefixPath PrefixTree::find(const std::string& root, std::span<const Token> tokens, bool whole,
                            bool used) {
    PrefixPath path;
    const auto found = roots_.find(root);
    const PrefixBlock* at = found == roots_.end() ? nullptr : &found->second;
    while (at != nullptr && path.tokens < static_cast<int>(tokens.size())) {
        const auto rest = tokens.subspan(static_cast<std::size_t>(path.tokens));
        PrefixBlock* best = nullptr;
        int most = 0;
        for (const auto& child : at->children) {
            const int agree = common(child->tokens, rest);
            const bool all = agree == static_cast<int>(child->tokens.size());
            if (agree <= most || (whole && !all)) continue;
            best = child.get();
            most = agree;
        }
        if (best == nullptr) break;
        path.blocks.push_back(best);
        path.tokens += most;
        if (used) touch(*best);
        at = most == static_cast<int>(best->tokens.size()) ? best : nullptr;
    }
    return path;
}

PrefixBlock& PrefixTree::root(const std::string& id) {
    PrefixBlock& root = roots_[id];
    root.id = id;
    return root;
}

PrefixBlock* PrefixTree::block(const std::string& id) {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

// Blocks without children that `tokens` begins with go; false if one says all of `tokens` already.
bool PrefixTree::make_way(PrefixBlock& parent, std::span<const Token> tokens) {
    std::vector<PrefixBlock*> shorter;
    for (const auto& child : parent.children) {
        const int agree = common(child->tokens, tokens);
        if (agree == static_cast<int>(tokens.size())) return false;
        const bool begins = agree == static_cast<int>(child->tokens.size());
        if (begins && child->children.empty()) shorter.push_back(child.get());
    }
    for (PrefixBlock* block : shorter) drop(*block);
    return true;
}

PrefixBlock* PrefixTree::add(PrefixBlock& parent, Added added) {
    if (!make_way(parent, added.tokens)) return nullptr;
    auto block = std::make_unique<PrefixBlock>();
    block->id = block_id(parent.id, added.tokens);
    block->start = parent.end();
    block->tokens = std::move(added.tokens);
    block->on_disk = added.state == nullptr;
    block->state = std::move(added.state);
    block->bytes = added.bytes;
    block->seconds = added.seconds;
    block->parent = &parent;
    touch(*block, added.freshness);
    count(*block, 1);
    by_id_[block->id] = block.get();
    parent.children.push_back(std::move(block));
    return parent.children.back().get();
}

void PrefixTree::touch(PrefixBlock& block, double freshness) {
    const auto bytes = static_cast<double>(std::max<std::uint64_t>(block.bytes, 1));
    block.used = ++uses_;
    block.value = clock_ + freshness * block.seconds / bytes;
}

void PrefixTree::count(const PrefixBlock& block, int sign) {
    const std::uint64_t bytes = sign > 0 ? block.bytes : std::uint64_t{0} - block.bytes;
    if (block.state) memory_bytes_ += bytes;
    if (block.on_disk) disk_bytes_ += bytes;
}

void PrefixTree::set_state(PrefixBlock& block, std::shared_ptr<const std::string> state) {
    count(block, -1);
    block.state = std::move(state);
    count(block, 1);
}

void PrefixTree::set_on_disk(PrefixBlock& block, bool on_disk) {
    count(block, -1);
    block.on_disk = on_disk;
    count(block, 1);
}

void PrefixTree::forget(PrefixBlock& block) {
    for (const auto& child : block.children) forget(*child);
    count(block, -1);
    if (block.on_disk && on_left_disk) on_left_disk(block);
    by_id_.erase(block.id);
}

void PrefixTree::drop(PrefixBlock& block) {
    forget(block);
    std::erase_if(block.parent->children, [&](const auto& child) { return child.get() == &block; });
}

void PrefixTree::forget_tenant(std::string_view tenant) {
    for (auto& [id, root] : roots_) {
        if (!is_of(id, tenant)) continue;
        for (const auto& child : root.children) forget(*child);
        root.children.clear();
    }
}

bool PrefixTree::stands_in(const PrefixBlock& block, Tier tier) {
    if (tier == Tier::kMemory) return block.state != nullptr;
    return tier == Tier::kAny || block.on_disk;
}

// The one to give up next: the least valuable of those that nothing follows in that tier.
PrefixBlock* PrefixTree::cheapest(Tier tier) {
    PrefixBlock* best = nullptr;
    for (const auto& [id, block] : by_id_) {
        if (!stands_in(*block, tier)) continue;
        if (best != nullptr &&
            std::pair(best->value, best->used) <= std::pair(block->value, block->used))
            continue;
        const auto follows = [&](const auto& child) { return stands_in(*child, tier); };
        if (std::any_of(block->children.begin(), block->children.end(), follows)) continue;
        best = block;
    }
    if (best != nullptr) clock_ = std::max(clock_, best->value);
    return best;
}

void PrefixTree::trim() {
    while (memory_bytes_ > options_.memory_bytes_max) {
        PrefixBlock* block = cheapest(Tier::kMemory);
        set_state(*block, nullptr);
        drop_if_nowhere(*block);
    }
    while (disk_bytes_ > options_.disk_bytes_max) {
        PrefixBlock* block = cheapest(Tier::kDisk);
        if (on_left_disk) on_left_disk(*block);
        set_on_disk(*block, false);
        drop_if_nowhere(*block);
    }
    while (by_id_.size() > options_.blocks_max) drop(*cheapest(Tier::kAny));
}

// What stands in neither tier is no longer known, nor is what follows it: it cannot be reached.
void PrefixTree::drop_if_nowhere(PrefixBlock& block) {
    if (!block.state && !block.on_disk) drop(block);
}

}  // namespace jikji::engine
