#include "engine/vector_cache.hpp"

#include <iterator>

#include "base/ids.hpp"

namespace jikji::engine {

std::string VectorCache::key_of(std::string_view tenant, const std::vector<std::int32_t>& tokens) {
    const std::string_view bytes(reinterpret_cast<const char*>(tokens.data()),
                                 tokens.size() * sizeof(tokens[0]));
    return std::string(tenant) + "\n" + sha256_hex(bytes);
}

void VectorCache::forget(std::string_view tenant) {
    const std::string start = std::string(tenant) + "\n";
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (entry->key.starts_with(start)) drop(entry);
        entry = next;
    }
}

const std::vector<float>* VectorCache::find(const std::string& key) {
    const auto found = places_.find(key);
    if (found == places_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return &found->second->row;
}

void VectorCache::keep(const std::string& key, const std::vector<float>& row) {
    if (find(key) != nullptr) return;
    entries_.push_front({key, row});
    places_[key] = entries_.begin();
    bytes_ += bytes_of(entries_.front());
    while (bytes_ > bytes_max_) drop(std::prev(entries_.end()));
}

std::size_t VectorCache::bytes_of(const Entry& entry) {
    constexpr std::size_t kNodes = 128;  // of list and map, about
    return entry.row.size() * sizeof(float) + 2 * entry.key.size() + kNodes;
}

void VectorCache::drop(std::list<Entry>::iterator entry) {
    bytes_ -= bytes_of(*entry);
    places_.erase(entry->key);
    entries_.erase(entry);
}

}  // namespace jikji::engine
