#include "service/response_cache.hpp"

#include <bit>
#include <iterator>

#include "base/ids.hpp"

namespace jikji::service {
namespace {

/// Values one after the other, each of a fixed width or led by its length, so that no two
/// different requests give the same bytes.
class KeyWriter {
public:
    KeyWriter& number(std::uint64_t value) {
        for (int shift = 0; shift < 64; shift += 8) bytes_ += static_cast<char>(value >> shift);
        return *this;
    }
    KeyWriter& integer(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
    KeyWriter& real(float value) { return number(std::bit_cast<std::uint32_t>(value)); }
    KeyWriter& text(const std::string& value) {
        number(value.size());
        bytes_ += value;
        return *this;
    }
    std::string digest() const { return sha256_hex(bytes_); }

private:
    std::string bytes_;
};

void write(KeyWriter& key, const engine::Sampling& sampling) {
    key.real(sampling.temperature).real(sampling.top_p).integer(sampling.top_k);
    key.real(sampling.min_p).real(sampling.repeat_penalty).real(sampling.presence_penalty);
    key.real(sampling.frequency_penalty).integer(sampling.penalty_window);
    key.integer(sampling.seed ? 1 : 0).number(sampling.seed.value_or(0));
    key.number(sampling.logit_bias.size());
    for (const auto& [token, bias] : sampling.logit_bias) key.integer(token).real(bias);
}

void write(KeyWriter& key, const engine::Constraint& constraint) {
    key.text(constraint.grammar).integer(constraint.lazy).text(constraint.written);
    key.text(constraint.wake_after);
    for (const auto* texts : {&constraint.trigger_words, &constraint.trigger_patterns}) {
        key.number(texts->size());
        for (const std::string& text : *texts) key.text(text);
    }
    for (const auto* tokens : {&constraint.trigger_tokens, &constraint.kept_tokens}) {
        key.number(tokens->size());
        for (const engine::Token token : *tokens) key.integer(token);
    }
}

/// A key says whose it is, so that one tenant's can be found.
std::string key_start(const std::string& tenant) { return tenant + "\n"; }

std::size_t bytes_of(const std::vector<engine::TokenLogprob>& logprobs) {
    std::size_t out = logprobs.size() * sizeof(engine::TokenLogprob);
    for (const auto& one : logprobs) out += one.bytes.size() + bytes_of(one.alternatives);
    return out;
}

std::size_t bytes_of(const std::string& key, const CachedAnswer& answer) {
    std::size_t out = key.size() + sizeof(CachedAnswer);
    for (const engine::Piece& piece : answer.pieces) {
        out += sizeof(engine::Piece) + piece.text.size() + bytes_of(piece.logprobs);
    }
    return out;
}

}  // namespace

ResponseCache::ResponseCache(std::size_t entries_max, std::size_t bytes_max)
    : entries_max_(entries_max), bytes_max_(bytes_max) {}

std::shared_ptr<SharedAnswer> ResponseCache::join(const std::string& key,
                                                  const Urgency& urgency) const {
    const auto found = running_.find(key);
    if (found == running_.end()) return nullptr;
    auto answer = found->second.answer.lock();
    if (!answer || answer->broken()) return nullptr;
    if (answer->whole()) return answer;
    const bool soon_enough = found->second.lane <= urgency.lane;  // the more urgent, the lower
    return !urgency.deadline && soon_enough ? answer : nullptr;
}

ResponseCache::Found ResponseCache::find_or_start(const std::string& key, const Urgency& urgency,
                                                  const std::function<engine::Stream()>& start) {
    const std::lock_guard lock(starting_);
    if (auto answer = join(key, urgency)) return {std::move(answer), true};
    if (auto known = find(key)) return {std::make_shared<SharedAnswer>(std::move(*known)), true};
    std::erase_if(running_, [](const auto& entry) { return entry.second.answer.expired(); });
    auto answer = std::make_shared<SharedAnswer>(start());
    if (!urgency.deadline) running_[key] = {answer, urgency.lane};
    return {std::move(answer), false};
}

std::optional<CachedAnswer> ResponseCache::find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(key);
    if (found == index_.end()) return std::nullopt;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->answer;
}

void ResponseCache::put(const std::string& key, CachedAnswer answer) {
    const std::size_t bytes = bytes_of(key, answer);
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(key); found != index_.end()) drop(found->second);
    if (entries_max_ == 0 || bytes > bytes_max_) return;
    while (entries_.size() >= entries_max_ || bytes_ + bytes > bytes_max_) {
        drop(std::prev(entries_.end()));
    }
    entries_.push_front({key, std::move(answer), bytes});
    index_[key] = entries_.begin();
    bytes_ += bytes;
}

void ResponseCache::forget(const std::string& tenant) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        const auto next = std::next(entry);
        if (entry->key.starts_with(key_start(tenant))) drop(entry);
        entry = next;
    }
}

void ResponseCache::drop(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    entries_.erase(entry);
}

std::size_t ResponseCache::entries() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
}

std::size_t ResponseCache::bytes() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

std::string ResponseCache::key_of(const engine::GenerationRequest& request,
                                  const std::string& fingerprint, int choice) {
    if (request.sampling.temperature > 0 && !request.sampling.seed) return {};
    KeyWriter key;
    key.text(request.model).text(fingerprint).integer(choice);
    key.number(request.prompt.size());
    for (const engine::Token token : request.prompt) key.integer(token);
    write(key, request.sampling);
    key.integer(request.max_tokens).integer(request.top_logprobs).integer(request.ignore_eos);
    key.number(request.stop.size());
    for (const std::string& stop : request.stop) key.text(stop);
    write(key, request.constraint);
    return key_start(request.tenant) + key.digest();
}

}  // namespace jikji::service
