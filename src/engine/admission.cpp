// Who runs, and from where: room in the KV cells, prefixes that are known already, stepping back.
#include <algorithm>

#include "engine/generator.hpp"
#include "engine/sequence.hpp"

namespace jikji::engine {
namespace {

// Cells that are kept free for the answer when a sequence is let in whose length nobody knows.
constexpr int kAnswerReserve = 256;

}  // namespace

int Generator::cells_used() const {
    int used = 0;
    for (const auto& sequence : running_) used += static_cast<int>(sequence->tokens.size()) + 1;
    return used;
}

void Generator::admit() {
    for (auto it = waiting_.begin(); it != waiting_.end() && !free_ids_.empty();) {
        Sequence& next = **it;
        if (!prefixes_.ready(next, running_)) {
            ++it;
            continue;
        }
        const int wanted = static_cast<int>(next.tokens.size()) +
                           std::min(std::max(next.left(), 0), kAnswerReserve);
        if (!running_.empty() && cells_used() + wanted > options_.cells) return;
        next.id = free_ids_.back();
        free_ids_.pop_back();
        prefixes_.start(next, running_);
        running_.push_back(std::move(*it));
        it = waiting_.erase(it);
    }
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
    prefixes_.keep(sequence);
    context_.forget(sequence.id);
    free_ids_.push_back(sequence.id);
    sequence.id = -1;
    sequence.computed = 0;
    waiting_.push_front(std::move(running_[index]));
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace jikji::engine
