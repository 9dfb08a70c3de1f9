#include "engine/text_filter.hpp"

#include <algorithm>
#include <string_view>

namespace jikji::engine {
namespace {

/// Bytes of the character that starts with `lead`; 1 for a byte that cannot start one.
std::size_t character_size(unsigned char lead) {
    if (lead >= 0xf0 && lead <= 0xf4) return 4;
    if (lead >= 0xe0) return lead <= 0xef ? 3 : 1;
    if (lead >= 0xc2 && lead <= 0xdf) return 2;
    return 1;
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Length of the longest prefix of `text` that does not end inside a character.
std::size_t whole_characters(std::string_view text) {
    std::size_t start = text.size();
    for (int back = 0; back < 4 && start > 0; ++back) {
        --start;
        if (continues(text[start])) continue;
        const std::size_t wanted = character_size(static_cast<unsigned char>(text[start]));
        return start + wanted > text.size() ? start : text.size();
    }
    return text.size();
}

/// Every byte that is not part of a character becomes U+FFFD.
std::string repaired(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t size = character_size(static_cast<unsigned char>(text[i]));
        bool good = size > 1 || static_cast<unsigned char>(text[i]) < 0x80;
        good = good && i + size <= text.size();
        for (std::size_t k = 1; good && k < size; ++k) good = continues(text[i + k]);
        out += good ? std::string(text.substr(i, size)) : "\xef\xbf\xbd";
        i += good ? size : 1;
    }
    return out;
}

/// Length of the longest end of `text` that could be the start of `stop`.
std::size_t overlap(std::string_view text, std::string_view stop) {
    std::size_t length = std::min(text.size(), stop.size() - 1);
    while (length > 0 && text.substr(text.size() - length) != stop.substr(0, length)) --length;
    return length;
}

}  // namespace

Piece TextFilter::take(std::size_t bytes) {
    Piece piece;
    piece.text = repaired(std::string_view(held_).substr(0, bytes));
    held_.erase(0, bytes);
    shown_ += bytes;
    while (!pending_.empty() && pending_.front().end <= shown_) {
        piece.logprobs.push_back(std::move(pending_.front().logprob));
        pending_.pop_front();
    }
    if (piece.text.empty()) return piece;
    while (!ends_.empty() && ends_.front() <= shown_) {
        ++piece.tokens;
        ends_.pop_front();
    }
    return piece;
}

Piece TextFilter::add(const std::string& bytes, const TokenLogprob* logprob) {
    if (stopped_) return {};
    held_ += bytes;
    received_ += bytes.size();
    ends_.push_back(received_);
    if (logprob != nullptr) pending_.push_back({received_, *logprob});
    std::size_t first = std::string::npos;
    for (const std::string& stop : stop_) first = std::min(first, held_.find(stop));
    if (first != std::string::npos) {
        Piece piece = take(first);
        stopped_ = true;
        held_.clear();
        return piece;
    }
    std::size_t kept = 0;
    for (const std::string& stop : stop_) kept = std::max(kept, overlap(held_, stop));
    return take(whole_characters(std::string_view(held_).substr(0, held_.size() - kept)));
}

Piece TextFilter::flush() {
    if (stopped_) return {};
    Piece piece = take(whole_characters(held_));
    for (Pending& rest : pending_) piece.logprobs.push_back(std::move(rest.logprob));
    pending_.clear();
    held_.clear();
    return piece;
}

}  // namespace jikji::engine
