#pragma once
// Who is next. Between tenants: whoever has had the least of the machine, counted in tokens. Within
// a tenant: the cheapest request first, unless a dear one has waited for as much as it costs.
//
// Source   Virtual token counters: Sheng et al. 2024 (arXiv:2401.00588). Deficit round robin
//          (Shreedhar & Varghese 1996) with a quantum of one token, for requests whose length
//          nobody knows beforehand: they pay while they are served.
// Bound    of two tenants that both have work, neither gets more than about one request (and what
//          runs at that moment) ahead of the other, whatever either sends.
// Ageing   a request stands at  cost + tokens that its tenant had been served when it came.  So one
//          of 4,000 tokens lets at most 4,000 tokens of later ones pass; nothing has to tick.
// Threads  one at a time.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "engine/request.hpp"

namespace jikji::engine {

/// An answer's token holds a place in each step, a prompt's token only in one (2 in the paper).
constexpr double kAnswerTokenCost = 2;

/// What each tenant has been served, in tokens. A tenant that comes back starts where the least
/// served of those that are there stands: who was away saves nothing up.
class Shares {
public:
    void enter(const std::string& tenant);  // one more of its requests is here
    void leave(const std::string& tenant);

    void serve(const std::string& tenant, double tokens);
    /// What its requests that run will still take. Without it a tenant whose counter is low would
    /// get all places at once. Negative to take it back.
    void promise(const std::string& tenant, double tokens);

    double served(const std::string& tenant) const;    // 0 if it is unknown
    double standing(const std::string& tenant) const;  // served and promised

    std::size_t tenants() const { return accounts_.size(); }

private:
    struct Account {
        double served = 0;
        double promised = 0;
        int requests = 0;
    };
    std::optional<double> least_served() const;  // of those that have requests here

    std::map<std::string, Account> accounts_;
};

using Ticket = std::uint64_t;  // ascending in the order of arrival

class FairQueue {
public:
    explicit FairQueue(const Shares& shares) : shares_(shares) {}  // which must outlive it

    struct Entry {
        Ticket ticket = 0;
        std::string tenant;
        Lane lane = Lane::kInteractive;
        double cost = 0;     // tokens that it will probably take
        bool again = false;  // it ran before: first of its tenant
    };
    /// Returns where it stands among its tenant's.
    double push(Entry entry);
    bool erase(Ticket ticket);

    enum class Verdict { kTake, kSkip, kStop };
    /// Asks about one after the other in their order, until one is taken or nobody may be. Lanes
    /// are strict: batch requests come after all interactive ones.
    std::optional<Ticket> first(const std::function<Verdict(Ticket)>& judge) const;

    std::size_t size() const { return places_.size(); }
    bool empty() const { return places_.empty(); }

private:
    using Line = std::set<std::pair<double, Ticket>>;  // of one tenant
    using Lines = std::map<std::string, Line>;
    struct Place {
        Lane lane;
        std::string tenant;
        double key;
    };
    std::optional<Ticket> first_of(const Lines& lines, bool& stopped,
                                   const std::function<Verdict(Ticket)>& judge) const;

    const Shares& shares_;
    Lines lines_[2];  // by lane
    std::unordered_map<Ticket, Place> places_;
};

}  // namespace jikji::engine
