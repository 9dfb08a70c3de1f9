// Who runs: the fair order, room in the KV cells, and who gives way.
#include <algorithm>
#include <tuple>

#include "engine/generator.hpp"

namespace jikji::engine {
namespace {

// Cells that are kept free for the answer when a sequence is let in: as many as it may make, but no
// more than this. Many clients name a limit that they never reach; whoever reaches it may have to
// be swapped out for a while.
constexpr int kReserveGiven = 1024;
constexpr int kReserveUnknown = 256;

constexpr double kWaitMemory = 0.1;  // weight of the newest in the average wait

}  // namespace

int Generator::cells_used() const {
    int used = 0;
    for (const auto& s : running_) used += static_cast<int>(s->tokens.size()) + 1 - s->shared;
    return used;
}

int Generator::reserve(const Sequence& s) const {
    return std::clamp(s.left(), 0, s.length_given ? kReserveGiven : kReserveUnknown);
}

int Generator::cells_reserved() const {
    int reserved = cells_used();
    for (const auto& s : running_) reserved += reserve(*s);
    return reserved;
}

int Generator::answer_expected(const Sequence& s) const {
    const int typical = std::max(static_cast<int>(answer_typical_) - s.made, 16);
    return std::clamp(s.left(), 0, typical);
}

double Generator::cost_expected(const Sequence& s) const {
    const int known = s.id < 0 ? s.saved_tokens : s.computed;
    return static_cast<int>(s.tokens.size()) - known + kAnswerTokenCost * answer_expected(s);
}

double Generator::seconds_left() const {
    const auto of = [&](const Sequence& s) {
        const int known = s.id < 0 ? s.saved_tokens : s.computed;
        const int prompt = std::max(static_cast<int>(s.tokens.size()) - known, 0);
        return costs_.request_seconds(prompt, answer_expected(s), options_.parallel);
    };
    double out = 0;
    for (const auto& [ticket, s] : waiting_) out += of(*s);
    for (const auto& s : running_) out += of(*s);
    return out;
}

int Generator::swapped_out() const {
    return static_cast<int>(std::count_if(waiting_.begin(), waiting_.end(),
                                          [](const auto& one) { return one.second->started; }));
}

void Generator::enqueue(SequencePtr sequence, bool again) {
    Sequence& s = *sequence;
    const double rank =
        queue_.push({s.ticket, s.request.tenant, s.request.lane, cost_expected(s), again});
    if (!again) s.rank = rank;
    waiting_.emplace(s.ticket, std::move(sequence));
}

void Generator::admit() {
    while (admit_next()) {
    }
}

bool Generator::admit_next() {
    bool blocked = false;  // the first that could start finds no room
    const auto next = queue_.first([&](Ticket t) { return judge(*waiting_.at(t), blocked); });
    if (!next) return false;
    SequencePtr sequence = std::move(waiting_.at(*next));
    if (blocked && !make_room_for(*sequence)) {
        waiting_.at(*next) = std::move(sequence);
        return false;
    }
    waiting_.erase(*next);
    queue_.erase(*next);
    start(std::move(sequence));
    return true;
}

// Nobody overtakes one that only wants for room: a large request would never find any.
FairQueue::Verdict Generator::judge(Sequence& next, bool& blocked) {
    if (next.saved.empty() && !prefixes_.ready(next, running_)) return FairQueue::Verdict::kSkip;
    blocked = !fits(next);
    return FairQueue::Verdict::kTake;
}

bool Generator::fits(const Sequence& next) const {
    if (free_ids_.empty()) return false;
    if (running_.empty()) return true;
    const int wanted = static_cast<int>(next.tokens.size()) + 1 + reserve(next);
    return cells_reserved() + wanted - prefixes_.shareable(next, running_) <= options_.cells;
}

bool Generator::make_room_for(const Sequence& next) {
    while (!fits(next)) {
        Sequence* least = least_entitled(&next);
        if (least == nullptr) return false;
        swap_out(*least);
    }
    return true;
}

void Generator::start(SequencePtr next) {
    Sequence& s = *next;
    s.place.release();
    if (!s.started) {
        const std::chrono::duration<double> wait = std::chrono::steady_clock::now() - s.came;
        counters_.wait_seconds += kWaitMemory * (wait.count() - counters_.wait_seconds);
    }
    s.id = *free_ids_.begin();
    free_ids_.erase(free_ids_.begin());
    if (!restore(s)) prefixes_.start(s, running_);
    s.promised = cost_expected(s);
    shares_.promise(s.request.tenant, s.promised);
    running_.push_back(std::move(next));
}

bool Generator::restore(Sequence& s) {
    if (s.saved.empty()) return false;
    const bool done = context_.restore(s.id, s.saved);
    if (done) s.computed = s.saved_tokens;
    saved_bytes_ -= s.saved.size();
    s.saved = {};
    s.saved_tokens = 0;
    return done;
}

int Generator::running_of(const std::string& tenant) const {
    return static_cast<int>(
        std::count_if(running_.begin(), running_.end(),
                      [&](const SequencePtr& s) { return s->request.tenant == tenant; }));
}

// The youngest of the tenant that has taken most, batch before interactive. For a rival only one
// that has to give way to it: a batch sequence to an interactive one, and one of several of a
// tenant to a tenant that has none.
Sequence* Generator::least_entitled(const Sequence* rival) const {
    const bool has_none = rival != nullptr && running_of(rival->request.tenant) == 0;
    Sequence* least = nullptr;
    const auto order = [&](const Sequence& s) {
        return std::tuple(s.request.lane, shares_.standing(s.request.tenant), s.ticket);
    };
    for (const auto& s : running_) {
        if (rival != nullptr && s->request.lane <= rival->request.lane) {
            const bool gives = has_none && s->request.lane == rival->request.lane &&
                               running_of(s->request.tenant) >= 2;
            if (!gives) continue;
        }
        if (least == nullptr || order(*s) > order(*least)) least = s.get();
    }
    return least;
}

void Generator::make_room() {
    while (running_.size() > 1 && cells_used() > options_.cells) {
        swap_out(*least_entitled(nullptr));
    }
}

// What was sent to its reader stays valid: it goes on from its own cells, or is computed again from
// its tokens where memory is short.
void Generator::swap_out(Sequence& s) {
    ++counters_.swapped;
    std::string state = context_.save(s.id);
    if (saved_bytes_ + state.size() <= options_.swap_bytes) {
        s.saved = std::move(state);
        s.saved_tokens = s.computed;
        saved_bytes_ += s.saved.size();
    }
    leave_cells(s);
    s.computed = 0;
    s.planned = 0;
    s.draft.clear();
    shares_.promise(s.request.tenant, -s.promised);
    s.promised = 0;
    const auto found = std::find_if(running_.begin(), running_.end(),
                                    [&](const SequencePtr& one) { return one.get() == &s; });
    SequencePtr sequence = std::move(*found);
    running_.erase(found);
    enqueue(std::move(sequence), /*again=*/true);
}

// Cells that others share stay: the one that shares most of them counts them from now on.
void Generator::leave_cells(Sequence& s) {
    Sequence* heir = nullptr;
    for (const auto& other : running_) {
        if (other->source != &s) continue;
        if (heir == nullptr || other->shared > heir->shared) heir = other.get();
    }
    for (const auto& other : running_) {
        if (heir != nullptr && other->source == &s) other->source = heir;
    }
    if (heir != nullptr) {
        heir->source = s.source;
        heir->shared = std::min(heir->shared, s.shared);
    }
    s.source = nullptr;
    s.shared = 0;
    context_.forget(s.id);
    free_ids_.insert(s.id);
    s.id = -1;
}

}  // namespace jikji::engine
