#include "engine/fair_queue.hpp"

#include <algorithm>
#include <vector>

namespace jikji::engine {

std::optional<double> Shares::least_served() const {
    std::optional<double> least;
    for (const auto& [tenant, account] : accounts_) {
        if (account.requests > 0) least = std::min(least.value_or(account.served), account.served);
    }
    return least;
}

void Shares::enter(const std::string& tenant) {
    const std::optional<double> least = least_served();
    Account& account = accounts_[tenant];
    if (account.requests++ == 0) account.served = std::max(account.served, least.value_or(0));
}

// Accounts of tenants that are away are kept only while they owe something.
void Shares::leave(const std::string& tenant) {
    const auto found = accounts_.find(tenant);
    if (found == accounts_.end() || --found->second.requests > 0) return;
    found->second.promised = 0;
    const std::optional<double> least = least_served();
    if (!least) return accounts_.clear();
    std::erase_if(accounts_, [&](const auto& entry) {
        return entry.second.requests <= 0 && entry.second.served <= *least;
    });
}

void Shares::serve(const std::string& tenant, double tokens) {
    const auto found = accounts_.find(tenant);
    if (found != accounts_.end()) found->second.served += tokens;
}

void Shares::promise(const std::string& tenant, double tokens) {
    const auto found = accounts_.find(tenant);
    if (found != accounts_.end()) {
        found->second.promised = std::max(0.0, found->second.promised + tokens);
    }
}

double Shares::served(const std::string& tenant) const {
    const auto found = accounts_.find(tenant);
    return found == accounts_.end() ? 0 : found->second.served;
}

double Shares::standing(const std::string& tenant) const {
    const auto found = accounts_.find(tenant);
    return found == accounts_.end() ? 0 : found->second.served + found->second.promised;
}

double FairQueue::push(Entry entry) {
    const double key = entry.again ? -1 : entry.cost + shares_.served(entry.tenant);
    lines_[static_cast<int>(entry.lane)][entry.tenant].emplace(key, entry.ticket);
    places_[entry.ticket] = {entry.lane, std::move(entry.tenant), key};
    return key;
}

bool FairQueue::erase(Ticket ticket) {
    const auto found = places_.find(ticket);
    if (found == places_.end()) return false;
    Lines& lines = lines_[static_cast<int>(found->second.lane)];
    const auto line = lines.find(found->second.tenant);
    line->second.erase({found->second.key, ticket});
    if (line->second.empty()) lines.erase(line);
    places_.erase(found);
    return true;
}

std::optional<Ticket> FairQueue::first(const std::function<Verdict(Ticket)>& judge) const {
    bool stopped = false;
    for (const Lines& lines : lines_) {
        if (const auto found = first_of(lines, stopped, judge)) return found;
        if (stopped) break;
    }
    return std::nullopt;
}

std::optional<Ticket> FairQueue::first_of(const Lines& lines, bool& stopped,
                                          const std::function<Verdict(Ticket)>& judge) const {
    struct Turn {
        double standing;
        Ticket first;
        const Line* line;
    };
    std::vector<Turn> turns;
    for (const auto& [tenant, line] : lines) {
        turns.push_back({shares_.standing(tenant), line.begin()->second, &line});
    }
    std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
        return a.standing != b.standing ? a.standing < b.standing : a.first < b.first;
    });
    for (const Turn& turn : turns) {
        for (const auto& [key, ticket] : *turn.line) {
            const Verdict verdict = judge(ticket);
            if (verdict == Verdict::kTake) return ticket;
            stopped = verdict == Verdict::kStop;
            if (stopped) return std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace jikji::engine
