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
    /// When an answer is wanted: what it reads is no part of the key, but two requests share one
    /// computation only if it gives both what they asked for.
    struct Urgency {
        engine::Lane lane = engine::Lane::kInteractive;
        bool deadline = false;  // it would end the others' work, or be missed by what they began
    };
    /// The answer of that key: kept, or being made by another request, or `start`ed now. Joined is
    /// only what is being made in the same or a more urgent lane, by a request without a deadline
    /// for another without one, and has not failed. What `start` throws passes.
    Found find_or_start(const std::string& key, const Urgency& urgency,
                        const std::function<engine::Stream()>& start);
    std::optional<CachedAnswer> find(const std::string& key);
    /// An answer larger than the whole cache is not kept.
    void put(const std::string& key, CachedAnswer answer);
    void forget(const std::string& tenant);  // its answers
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
    void drop(std::list<Entry>::iterator entry);  // with the lock held

    mutable std::mutex mutex_;
    std::size_t entries_max_;
    std::size_t bytes_max_;
    std::size_t bytes_ = 0;
    std::list<Entry> entries_;  // most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> index_;
    struct Running {
        std::weak_ptr<SharedAnswer> answer;
        engine::Lane lane;
    };
    std::shared_ptr<SharedAnswer> join(const std::string& key, const Urgency& urgency) const;

    std::mutex starting_;                               // one at a time looks and starts
    std::unordered_map<std::string, Running> running_;  // those without a deadline
};

}  // namespace jikji::service
