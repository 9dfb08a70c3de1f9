#include "engine/prefix_reuse.hpp"

#include <algorithm>

namespace jikji::engine {
namespace {

// A common beginning shorter than this is computed again: that takes a few milliseconds, and the
// text stays what it is without a neighbour, to the last bit.
constexpr int kWorthSharing = 64;

bool same_tenant(const Sequence& a, const Sequence& b) {
    return a.request.tenant == b.request.tenant;
}

}  // namespace

// Sixteen requests behind one long instruction: the first computes it, the others fork from it.
bool PrefixReuse::ready(Sequence& next, const Running& running) {
    int known = 0;
    int coming = 0;
    for (const auto& other : running) {
        if (!same_tenant(*other, next)) continue;
        const int common = common_prefix(other->tokens, next.tokens);
        known = std::max(known, std::min(common, other->computed));
        if (!other->prompt_done()) coming = std::max(coming, common);
    }
    return coming < known + kWorthSharing;
}

PrefixReuse::Source PrefixReuse::best_source(const Sequence& next, const Running& running) {
    const int most = static_cast<int>(next.tokens.size()) - 1;
    Source best{nullptr, kWorthSharing - 1};
    for (const auto& other : running) {
        if (!same_tenant(*other, next)) continue;
        const int shared =
            std::min({common_prefix(other->tokens, next.tokens), other->computed, most});
        if (shared > best.common) best = {other.get(), shared};
    }
    return best;
}

int PrefixReuse::shareable(const Sequence& next, const Running& running) const {
    if (!next.saved.empty()) return 0;  // its own cells come back
    const Source source = best_source(next, running);
    return source.sequence != nullptr ? source.common : 0;
}

void PrefixReuse::start(Sequence& sequence, const Running& running) {
    const int most = static_cast<int>(sequence.tokens.size()) - 1;
    const auto [source, common] = best_source(sequence, running);
    const PrefixStore::Found kept = kept_.find(sequence.tokens);
    const int kept_common = std::min(kept.common, most);
    if (kept_common > common && context_.restore(sequence.id, kept.entry->state)) {
        context_.forget_from(sequence.id, kept_common);
        sequence.computed = kept_common;
    } else if (source != nullptr) {
        context_.share(source->id, sequence.id, common);
        sequence.computed = common;
        sequence.source = source;
        sequence.shared = common;
    }
    if (!sequence.started) sequence.reused = sequence.computed;
    sequence.started = true;
}

void PrefixReuse::keep(const Sequence& sequence) {
    if (sequence.computed < kWorthSharing) return;
    std::vector<Token> tokens(sequence.tokens.begin(), sequence.tokens.begin() + sequence.computed);
    if (!kept_.wants(tokens)) return;
    std::string state = context_.save(sequence.id);
    if (!state.empty()) kept_.put({std::move(tokens), std::move(state)});
}

}  // namespace jikji::engine
