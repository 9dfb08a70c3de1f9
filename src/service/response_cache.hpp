#pragma once
// Whole answers of deterministic requests (S12): exact key, least recently used out first, bounded
// by entries and by bytes. Those that are being made are known, too, and are shared. Threads: any.
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/request.hpp"
#include "service/shared_answer.hpp"

namespace jikji::service {

class ResponseCache {
public:
    ResponseCache(std::size_t entries_max, std::size_t bytes_max);

    struct Found {
        std::shared_ptr<SharedAnswer> answer;
        bool hit = false;  // nothing was started
    };
    /// The answer of that key: kept, or being made by another request, or `start`ed now. What
    /// `start` throws passes.
    Found find_or_start(const std::string& key, const std::function<engine::Stream()>& start);
    std::optional<CachedAnswer> find(const std::string& key);
    /// An answer larger than the whole cache is not kept.
    void put(const std::string& key, CachedAnswer answer);
    void clear();
    std::size_t entries() const;
    std::size_t bytes() const;

    /// Whose it is, and everything that can change the text: tenant, model and its fingerprint,
    /// prompt tokens, sampling with its seed, stop, max_tokens, logprobs, the grammar, and which of
    /// n choices. Tools and formats are in prompt and grammar; beyond that they only say how the
    /// text is read, which the reader does anew. Empty if the request is not deterministic
    /// (temperature > 0 without a seed).
    static std::string key_of(const engine::GenerationRequest& request,
                              const std::string& fingerprint, int choice);

private:
    struct Entry {
        std::string key;
        CachedAnswer answer;
        std::size_t bytes;
    };
    mutable std::mutex mutex_;
    std::size_t entries_max_;
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> index_;
    std::mutex starting_;  // one at a time looks and starts
    std::unordered_map<std::string, std::weak_ptr<SharedAnswer>> running_;
};

}  // namespace jikji::service
