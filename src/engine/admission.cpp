// Who runs, and from where: room in the KV cells, prefixes that are known already, stepping back.
#include <algorithm>

#include "engine/generator.hpp"
#include "engine/sequence.hpp"

namespace jikji::engine {
namespace {

// Cells that are kept free for the answer when a sequence is let in whose length nobody knows.
constexpr int kAnswerReserve = 256;

// A common beginning shorter than this is computed again: that takes a few milliseconds, and the
// text stays what it is without a neighbour, to the last bit.
constexpr int kWorthSharing = 64;

}  // namespace

int Generator::cells_used() const {
    int used = 0;
    for (const auto& sequence : running_) used += static_cast<int>(sequence->tokens.size()) + 1;
    return used;
}

void Generator::admit() {
    for (auto it = waiting_.begin(); it != waiting_.end() && !free_ids_.empty();) {
        Sequence& next = **it;
        if (waits_for_prefix(next)) {
            ++it;
            continue;
        }
        const int wanted = static_cast<int>(next.tokens.size()) +
                           std::min(std::max(next.left(), 0), kAnswerReserve);
        if (!running_.empty() && cells_used() + wanted > options_.cells) return;
        next.id = free_ids_.back();
        free_ids_.pop_back();
        start_from_known(next);
        running_.push_back(std::move(*it));
        it = waiting_.erase(it);
    }
}

// Sixteen requests behind one long instruction: the first computes it, the others fork from it.
bool Generator::waits_for_prefix(const Sequence& next) const {
    int ready = 0;
    int coming = 0;
    for (const auto& other : running_) {
        const int common = common_prefix(other->tokens, next.tokens);
        ready = std::max(ready, std::min(common, other->computed));
        if (!other->prompt_done()) coming = std::max(coming, common);
    }
    return coming >= ready + kWorthSharing;
}

// The last token of the prompt is always computed: its logits are wanted.
void Generator::start_from_known(Sequence& sequence) {
    const int most = static_cast<int>(sequence.tokens.size()) - 1;
    const Sequence* source = nullptr;
    int common = kWorthSharing - 1;
    for (const auto& other : running_) {
        const int shared =
            std::min({common_prefix(other->tokens, sequence.tokens), other->computed, most});
        if (shared <= common) continue;
        source = other.get();
        common = shared;
    }
    const PrefixStore::Found kept = kept_.find(sequence.tokens);
    const int kept_common = std::min(kept.common, most);
    if (kept_common > common && context_.restore(sequence.id, kept.entry->state)) {
        context_.forget_from(sequence.id, kept_common);
        sequence.computed = kept_common;
    } else if (source != nullptr) {
        context_.share(source->id, sequence.id, common);
        sequence.computed = common;
    }
    if (sequence.made == 0) sequence.reused = sequence.computed;
}

void Generator::keep(const Sequence& sequence) {
    if (sequence.computed < kWorthSharing) return;
    std::vector<Token> tokens(sequence.tokens.begin(), sequence.tokens.begin() + sequence.computed);
    if (!kept_.wants(tokens)) return;
    std::string state = context_.save(sequence.id);
    if (!state.empty()) kept_.put({std::move(tokens), std::move(state)});
}

void Generator::make_room() {
    while (running_.size() > 1 && cells_used() + running() > options_.cells) {
        step_back(running_.size() - 1);
    }
}

// Goes on from what was kept of it when there is room, or is computed again: what was sent to its
// reader stays valid.
void Generator::step_back(std::size_t index) {
    Sequence& sequence = *running_[index];
    keep(sequence);
    context_.forget(sequence.id);
    free_ids_.push_back(sequence.id);
    sequence.id = -1;
    sequence.computed = 0;
    waiting_.push_front(std::move(running_[index]));
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace jikji::engine
