#include "engine/fair_queue.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

using namespace jikji::engine;

namespace {

using Verdict = FairQueue::Verdict;

/// Serves one request after the other, whole, and says in which order.
struct Desk {
    void push(const std::string& tenant, double cost, Lane lane = Lane::kInteractive) {
        shares.enter(tenant);
        entries.push_back({entries.size(), tenant, lane, cost, false});
        queue.push(entries.back());
    }
    std::optional<Ticket> serve_one() {
        const auto ticket = queue.first([](Ticket) { return Verdict::kTake; });
        if (!ticket) return ticket;
        const FairQueue::Entry& entry = entries[*ticket];
        queue.erase(*ticket);
        shares.serve(entry.tenant, entry.cost);
        shares.leave(entry.tenant);
        return ticket;
    }
    std::vector<Ticket> serve_all() {
        std::vector<Ticket> out;
        while (const auto ticket = serve_one()) out.push_back(*ticket);
        return out;
    }

    Shares shares;
    FairQueue queue{shares};
    std::vector<FairQueue::Entry> entries;
};

}  // namespace

TEST_SUITE_BEGIN("fair_queue");

TEST_CASE("within a tenant the cheap go first, equal ones as they came") {
    Desk desk;
    for (const double cost : {500.0, 100.0, 300.0, 100.0}) desk.push("a", cost);
    CHECK(desk.serve_all() == std::vector<Ticket>{1, 3, 2, 0});
}

TEST_CASE("a dear request lets no more pass than it costs") {
    Desk desk;
    desk.push("a", 4000);
    double passed = 0;
    for (int i = 0; i < 1000; ++i) {
        desk.push("a", 100);  // one more each time that one is served
        const auto ticket = desk.serve_one();
        REQUIRE(ticket);
        if (*ticket == 0) break;
        passed += 100;
    }
    CHECK(passed >= 3800);
    CHECK(passed <= 4000);
}

TEST_CASE("one of fifty times the load does not hold up the other") {
    Desk desk;
    for (int i = 0; i < 500; ++i) desk.push("heavy", 200);
    for (int i = 0; i < 10; ++i) desk.push("light", 200);
    const std::vector<Ticket> order = desk.serve_all();
    for (int i = 0; i < 10; ++i) {
        const auto at = std::find(order.begin(), order.end(), Ticket(500 + i));
        CHECK(at - order.begin() <= 2 * (i + 1));
    }
}

TEST_CASE("two that always have work get the same, whatever they send") {
    Desk desk;
    std::mt19937 random(5);
    double got[2] = {0, 0};
    for (int i = 0; i < 30; ++i) {
        desk.push("big", 1000 + random() % 3000);
        desk.push("small", 10 + random() % 90);
    }
    for (int i = 0; i < 3000; ++i) {
        const auto ticket = desk.serve_one();
        REQUIRE(ticket);
        const FairQueue::Entry entry = desk.entries[*ticket];
        const bool big = entry.tenant == "big";
        got[big] += entry.cost;
        desk.push(entry.tenant, big ? 1000 + random() % 3000 : 10 + random() % 90);
        CHECK(std::abs(got[0] - got[1]) <= 4000);
    }
}

TEST_CASE("who was away saves nothing up, and who owes does not get rid of it by going") {
    Shares shares;
    shares.enter("a");
    shares.enter("b");
    shares.serve("a", 1000);
    shares.serve("b", 5000);
    shares.enter("c");
    CHECK(shares.served("c") == 1000);
    shares.leave("b");
    shares.enter("b");
    CHECK(shares.served("b") == 5000);
    shares.leave("a");
    CHECK(shares.served("a") == 0);  // owes nothing: forgotten
    shares.enter("a");
    CHECK(shares.served("a") == 1000);
    for (const char* tenant : {"a", "b", "c"}) shares.leave(tenant);
    CHECK(shares.tenants() == 0);
}

TEST_CASE("what runs counts for whom it runs") {
    Desk desk;
    desk.push("a", 100);
    desk.push("b", 100);
    desk.push("a", 100);
    desk.shares.promise("a", 50);
    CHECK(desk.serve_one() == Ticket{1});
    desk.shares.promise("a", -80);
    CHECK(desk.shares.standing("a") == 0);
}

TEST_CASE("batch requests come after all others, and those that ran before their tenant's others") {
    Desk desk;
    desk.push("a", 1, Lane::kBatch);
    desk.push("a", 1000);
    desk.push("b", 2000);
    desk.shares.enter("a");
    desk.entries.push_back({3, "a", Lane::kInteractive, 9000, true});
    desk.queue.push(desk.entries.back());
    CHECK(desk.serve_all() == std::vector<Ticket>{2, 3, 1, 0});
}

TEST_CASE("skipped, stopped, taken back") {
    Desk desk;
    for (const char* tenant : {"a", "a", "b"}) desk.push(tenant, 10);
    const auto take = [&](Ticket wanted) {
        return desk.queue.first(
            [&](Ticket t) { return t == wanted ? Verdict::kTake : Verdict::kSkip; });
    };
    CHECK(take(2) == Ticket{2});
    CHECK(take(7) == std::nullopt);
    int asked = 0;
    CHECK(desk.queue.first([&](Ticket) {
        ++asked;
        return Verdict::kStop;
    }) == std::nullopt);
    CHECK(asked == 1);
    CHECK(desk.queue.erase(1));
    CHECK(!desk.queue.erase(1));
    CHECK(desk.queue.size() == 2);
    CHECK(desk.serve_all() == std::vector<Ticket>{0, 2});
}

TEST_SUITE_END();
