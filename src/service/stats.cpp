#include "service/stats.hpp"

#include <map>

#include "metrics/registry.hpp"
#include "storage/connection.hpp"
#include "storage/counters_table.hpp"
#include "storage/database.hpp"

namespace jikji::service {
namespace {

using End = GenerationOutcome::End;

metrics::Counter& requests(metrics::Registry& registry, const char* outcome) {
    return registry.counter("jikji_requests_total", "Generations that ended, by how they ended",
                            {{"outcome", outcome}});
}

metrics::Counter& tokens(metrics::Registry& registry, const char* kind) {
    return registry.counter("jikji_tokens_total",
                            "Tokens: prompt, of those reused (cached), and completion",
                            {{"kind", kind}});
}

metrics::Counter& cache_hits(metrics::Registry& registry) {
    return registry.counter("jikji_cache_hits_total", "Generations answered from the cache");
}

metrics::Histogram& request_seconds(metrics::Registry& registry) {
    return registry.histogram("jikji_request_seconds", "From start to end of a generation",
                              metrics::request_seconds_buckets());
}

metrics::Histogram& first_token_seconds(metrics::Registry& registry) {
    return registry.histogram("jikji_first_token_seconds",
                              "From the start of a generation to its first text",
                              metrics::request_seconds_buckets());
}

const char* name_of(End end) {
    switch (end) {
        case End::kDone: return "done";
        case End::kFailed: return "failed";
        case End::kCancelled: break;
    }
    return "cancelled";
}

std::int64_t whole(const std::map<std::string, double>& kept, const char* name) {
    const auto found = kept.find(name);
    return found == kept.end() ? 0 : static_cast<std::int64_t>(found->second);
}

// Counters go on where the last run stopped; histograms start anew, as Prometheus expects.
void restore(metrics::Registry& registry, const StatsTotals& totals) {
    requests(registry, "done")
        .add(static_cast<double>(totals.requests - totals.failed - totals.cancelled));
    requests(registry, "failed").add(static_cast<double>(totals.failed));
    requests(registry, "cancelled").add(static_cast<double>(totals.cancelled));
    tokens(registry, "prompt").add(static_cast<double>(totals.prompt_tokens));
    tokens(registry, "completion").add(static_cast<double>(totals.completion_tokens));
    tokens(registry, "cached");
    cache_hits(registry).add(static_cast<double>(totals.cache_hits));
    request_seconds(registry);
    first_token_seconds(registry);
}

void publish(metrics::Registry& registry, const GenerationOutcome& outcome) {
    requests(registry, name_of(outcome.end)).add();
    request_seconds(registry).observe(outcome.seconds);
    if (outcome.first_token_seconds > 0) {
        first_token_seconds(registry).observe(outcome.first_token_seconds);
    }
    if (outcome.cache_hit) {
        cache_hits(registry).add();
        return;
    }
    tokens(registry, "prompt").add(outcome.prompt_tokens);
    tokens(registry, "cached").add(outcome.cached_tokens);
    tokens(registry, "completion").add(outcome.completion_tokens);
}

}  // namespace

Stats::Stats(storage::Database& database, metrics::Registry& registry)
    : database_(database), registry_(registry) {
    std::map<std::string, double> kept;
    database_.read([&kept](storage::Connection& connection) {
        kept = storage::CountersTable(connection).all();
    });
    totals_.requests = whole(kept, "requests");
    totals_.failed = whole(kept, "failed");
    totals_.cancelled = whole(kept, "cancelled");
    totals_.cache_hits = whole(kept, "cache_hits");
    totals_.prompt_tokens = whole(kept, "prompt_tokens");
    totals_.completion_tokens = whole(kept, "completion_tokens");
    totals_.seconds = kept.contains("seconds") ? kept.at("seconds") : 0;
    restore(registry_, totals_);
}

Stats::~Stats() {
    try {
        save();
    } catch (const std::exception&) {
        // A full disk at the end costs a few seconds of figures, not the shutdown.
    }
}

// A hit counts as a request that took its time, but not its tokens: no model made them.
void Stats::count(const GenerationOutcome& outcome) {
    {
        const std::lock_guard lock(mutex_);
        ++totals_.requests;
        if (outcome.end == End::kFailed) ++totals_.failed;
        if (outcome.end == End::kCancelled) ++totals_.cancelled;
        if (outcome.cache_hit) ++totals_.cache_hits;
        if (!outcome.cache_hit) {
            totals_.prompt_tokens += outcome.prompt_tokens;
            totals_.completion_tokens += outcome.completion_tokens;
        }
        totals_.seconds += outcome.seconds;
        changed_ = true;
    }
    publish(registry_, outcome);
}

StatsTotals Stats::totals() const {
    const std::lock_guard lock(mutex_);
    return totals_;
}

void Stats::save() {
    StatsTotals now;
    {
        const std::lock_guard lock(mutex_);
        if (!changed_) return;
        now = totals_;
        changed_ = false;
    }
    try {
        database_.write([&now](storage::Connection& connection) {
            storage::CountersTable table(connection);
            table.put("requests", static_cast<double>(now.requests));
            table.put("failed", static_cast<double>(now.failed));
            table.put("cancelled", static_cast<double>(now.cancelled));
            table.put("cache_hits", static_cast<double>(now.cache_hits));
            table.put("prompt_tokens", static_cast<double>(now.prompt_tokens));
            table.put("completion_tokens", static_cast<double>(now.completion_tokens));
            table.put("seconds", now.seconds);
        });
    } catch (...) {
        const std::lock_guard lock(mutex_);
        changed_ = true;  // for the next try
        throw;
    }
}

}  // namespace jikji::service
