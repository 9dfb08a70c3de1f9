#pragma once
// The vectors of texts that were computed lately, least recently used out first.
// Threads: one at a time (the compute thread).
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace jikji::engine {

class VectorCache {
public:
    explicit VectorCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}  // 0 = keeps nothing

    /// Who asks is a part of the key: how fast an answer comes would else tell what others asked.
    static std::string key_of(std::string_view tenant, const std::vector<std::int32_t>& tokens);

    /// Null if it is not there; valid until the next call of keep().
    const std::vector<float>* find(const std::string& key);
    void keep(const std::string& key, const std::vector<float>& row);
    void forget(std::string_view tenant);

    std::size_t bytes() const noexcept { return bytes_; }

private:
    struct Entry {
        std::string key;
        std::vector<float> row;
    };
    static std::size_t bytes_of(const Entry& entry);
    void drop(std::list<Entry>::iterator entry);

    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> places_;
};

}  // namespace jikji::engine
