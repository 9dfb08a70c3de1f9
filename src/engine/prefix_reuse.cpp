#include "engine/prefix_reuse.hpp"

#include <algorithm>
#include <span>

namespace jikji::engine {
namespace {

// A common beginning shorter than this is computed again: that takes a few milliseconds, and the
// text stays what it is without a neighbour, to the last bit.
constexpr int kWorthSharing = 64;

// A step with fewer tokens is mostly the reading of the weights, and says little about a prompt.
constexpr int kTokensWorthMeasuring = 64;

bool same_tenant(const Sequence& a, const Sequence& b) {
    return a.request.tenant == b.request.tenant;
}

/// All but the last token, whose logits are wanted.
std::span<const Token> beginning(const Sequence& sequence) {
    return std::span(sequence.tokens).first(sequence.tokens.size() - 1);
}

}  // namespace

int common_prefix(const std::vector<Token>& a, const std::vector<Token>& b) {
    const auto end = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
    const auto differs = std::mismatch(a.begin(), a.begin() + end, b.begin());
    return static_cast<int>(differs.first - a.begin());
}

std::string PrefixReuse::root_of(const Sequence& sequence) const {
    return PrefixTree::root_id(layout_, sequence.request.tenant);
}

// Sixteen requests behind one long instruction: the first computes it, the others fork from it.
bool PrefixReuse::ready(Sequence& next, const Running& running) {
    const std::string root = root_of(next);
    if (!cache_.fetched(root, beginning(next), whole_, next.fetched)) return false;
    if (!shares_) return true;
    int known = cache_.known(root, beginning(next), whole_);
    int coming = 0;
    for (const auto& other : running) {
        if (!same_tenant(*other, next)) continue;
        const int common = common_prefix(other->tokens, next.tokens);
        known = std::max(known, std::min(common, other->computed));
        // One of a batch gives way to others, and may be long in coming.
        const bool soon = other->request.lane <= next.request.lane;
        if (soon && !other->prompt_done()) coming = std::max(coming, common);
    }
    return coming < known + kWorthSharing;
}

PrefixReuse::Source PrefixReuse::best_source(const Sequence& next, const Running& running) const {
    const int most = static_cast<int>(next.tokens.size()) - 1;
    Source best{nullptr, kWorthSharing - 1};
    for (const auto& other : running) {
        if (!same_tenant(*other, next)) continue;
        const int shared =
            std::min({common_prefix(other->tokens, next.tokens), other->computed, most});
        if (shared > best.common && context_.holds_all(other->id)) best = {other.get(), shared};
    }
    return best;
}

int PrefixReuse::shareable(const Sequence& next, const Running& running) const {
    if (!shares_ || !next.saved.empty()) return 0;  // swapped out: its own cells come back
    const Source source = best_source(next, running);
    return source.sequence != nullptr ? source.common : 0;
}

void PrefixReuse::start(Sequence& sequence, const Running& running) {
    if (whole_) restore_kept(sequence);  // takes the place of what is there
    if (shares_ && sequence.computed == 0) share_running(sequence, running);
    if (!whole_) restore_kept(sequence);
    if (!sequence.started) sequence.reused = sequence.computed;
    sequence.started = true;
    sequence.fetched = false;
}

void PrefixReuse::share_running(Sequence& sequence, const Running& running) {
    const auto [source, common] = best_source(sequence, running);
    if (source == nullptr) return;
    context_.share(source->id, sequence.id, common);
    sequence.computed = common;
    sequence.source = source;
    sequence.shared = common;
}

// Goes on behind what is shared already.
void PrefixReuse::restore_kept(Sequence& sequence) {
    const PrefixPath path = cache_.find(root_of(sequence), beginning(sequence), whole_);
    if (path.tokens < kWorthSharing || path.tokens <= sequence.computed) return;
    for (PrefixBlock* block : path.blocks) {
        const int end = std::min(block->end(), path.tokens);
        if (end <= sequence.computed) continue;
        const bool restored =
            whole_ ? context_.restore(sequence.id, *block->state)
                   : context_.restore_range(sequence.id, *block->state, sequence.computed, end);
        if (!restored) return cache_.drop(*block);
        sequence.computed = end;
    }
}

void PrefixReuse::keep(const Sequence& sequence) {
    if (sequence.computed < kWorthSharing) return;
    const auto done = static_cast<std::size_t>(sequence.computed);
    const auto save = [&](int start, int end) {
        return whole_ ? context_.save(sequence.id) : context_.save_range(sequence.id, start, end);
    };
    cache_.put(root_of(sequence), std::span(sequence.tokens).first(done), whole_, save,
               seconds_per_token_);
}

void PrefixReuse::measured(int tokens, double seconds) {
    if (tokens < kTokensWorthMeasuring) return;
    constexpr double kWeight = 0.2;
    seconds_per_token_ += kWeight * (seconds / tokens - seconds_per_token_);
}

}  // namespace jikji::engine
