#include "engine/vector_cache.hpp"

#include "base/ids.hpp"

namespace jikji::engine {

std::string VectorCache::key_of(std::string_view tenant, const std::vector<std::int32_t>& tokens) {
    Sha256 digest;
    digest.update(std::to_string(tenant.size()) + ":");
    digest.update(tenant);
    digest.update(
        {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(tokens[0])});
    return digest.finish_hex();
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
    while (bytes_ > bytes_max_) drop_last();
}

std::size_t VectorCache::bytes_of(const Entry& entry) {
    constexpr std::size_t kNodes = 128;  // of list and map, about
    return entry.row.size() * sizeof(float) + 2 * entry.key.size() + kNodes;
}

void VectorCache::drop_last() {
    bytes_ -= bytes_of(entries_.back());
    places_.erase(entries_.back().key);
    entries_.pop_back();
}

}  // namespace jikji::engine
