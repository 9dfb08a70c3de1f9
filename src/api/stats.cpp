// GET /v1/stats (S15), /metrics and /health.
#include "service/stats.hpp"

#include "api/objects.hpp"
#include "api/services.hpp"
#include "http/router.hpp"
#include "metrics/prometheus.hpp"
#include "service/chat.hpp"
#include "service/response_cache.hpp"

namespace jikji::api {
namespace {

using http::Access;
using http::Call;
using http::Reply;

json::array models_json(Services& services) {
    json::array out;
    for (const auto& model : services.engine.models()) {
        out.push_back(json::object{{"id", model.name},
                                   {"embedding", model.embedding},
                                   {"loaded", model.loaded},
                                   {"pinned", model.pinned},
                                   {"bytes", model.bytes}});
    }
    return out;
}

Reply stats(Services& services) {
    const service::StatsTotals totals = services.stats.totals();
    const engine::EngineStats now = services.engine.stats();
    const json::object cache = {{"entries", services.cache.entries()},
                                {"bytes", services.cache.bytes()}};
    return json_reply(json::object{{"object", "stats"},
                                   {"requests", totals.requests},
                                   {"failed", totals.failed},
                                   {"cancelled", totals.cancelled},
                                   {"cache_hits", totals.cache_hits},
                                   {"prompt_tokens", totals.prompt_tokens},
                                   {"completion_tokens", totals.completion_tokens},
                                   {"average_response_seconds", totals.average_seconds()},
                                   {"tokens_per_second", totals.tokens_per_second()},
                                   {"waiting", now.waiting},
                                   {"running", now.running},
                                   {"swapped_out", now.swapped_out},
                                   {"queue_wait_seconds", now.queue_wait_seconds},
                                   {"busy_seconds", now.busy_seconds},
                                   {"step_seconds", now.step_ms / 1000},
                                   {"step_tokens", now.step_tokens},
                                   {"cache", cache},
                                   {"models", models_json(services)}});
}

// Whole answers, beginnings of prompts and vectors, in memory and on disk: they hold what people
// wrote. Only those of whoever asks, which on a server without keys are everyone's.
Reply forget(Services& services, const Call& call) {
    services.cache.forget(call.principal);
    services.engine.forget(call.principal);
    return json_reply(json::object{{"object", "cache.deleted"}, {"deleted", true}});
}

void set_prefix_gauges(metrics::Registry& registry, const engine::PrefixCacheStats& kept) {
    registry.gauge("jikji_prefix_cache_blocks", "Blocks of earlier texts that are kept")
        .set(static_cast<double>(kept.blocks));
    registry.gauge("jikji_prefix_cache_memory_bytes", "Of these, in memory")
        .set(static_cast<double>(kept.memory_bytes));
    registry.gauge("jikji_prefix_cache_disk_bytes", "Of these, on disk")
        .set(static_cast<double>(kept.disk_bytes));
}

// What is a state, and not an event, is read when somebody asks.
void set_gauges(Services& services) {
    metrics::Registry& registry = services.registry;
    const engine::EngineStats now = services.engine.stats();
    registry.gauge("jikji_requests_waiting", "Requests that wait for the engine").set(now.waiting);
    registry.gauge("jikji_sequences_running", "Sequences in the batch").set(now.running);
    registry.gauge("jikji_embedded_texts", "Texts that became vectors")
        .set(static_cast<double>(now.embedded));
    registry
        .gauge("jikji_embedded_texts_cached", "Texts whose vectors were kept, or asked for twice")
        .set(static_cast<double>(now.embedded_cached));
    registry
        .gauge("jikji_tokens_drafted", "Tokens computed before they were chosen, since the start")
        .set(static_cast<double>(now.drafted));
    registry.gauge("jikji_tokens_drafted_held", "Of these, chosen")
        .set(static_cast<double>(now.held));
    registry.gauge("jikji_step_seconds", "Time of the last decode step").set(now.step_ms / 1000);
    registry.gauge("jikji_swaps", "Sequences that gave way to others, since the start")
        .set(static_cast<double>(now.swaps));
    registry.gauge("jikji_queue_wait_seconds", "Of the requests that started lately")
        .set(now.queue_wait_seconds);
    set_prefix_gauges(registry, services.engine.prefix_cache());
    registry.gauge("jikji_step_tokens", "Tokens of the last step").set(now.step_tokens);
    registry.gauge("jikji_sequences_swapped_out", "Sequences that gave way and wait to go on")
        .set(now.swapped_out);
    registry.gauge("jikji_busy_seconds", "What is here will probably take so long")
        .set(now.busy_seconds);
    registry.gauge("jikji_cache_entries", "Answers in the response cache")
        .set(static_cast<double>(services.cache.entries()));
    registry.gauge("jikji_cache_bytes", "Bytes in the response cache")
        .set(static_cast<double>(services.cache.bytes()));
    for (const auto& model : services.engine.models()) {
        registry.gauge("jikji_model_loaded", "1 if the model is loaded", {{"model", model.name}})
            .set(model.loaded ? 1 : 0);
        registry.gauge("jikji_model_bytes", "Memory that it takes", {{"model", model.name}})
            .set(static_cast<double>(model.bytes));
    }
}

Reply prometheus(Services& services) {
    set_gauges(services);
    return http::text_reply(metrics::prometheus_text(services.registry),
                            metrics::kPrometheusContentType);
}

}  // namespace

void add_stats(http::Router& router, Services& services) {
    router.add_blocking("GET", "/v1/stats", Access::kKey,
                        [&services](Call&) { return stats(services); });
    router.add_blocking("DELETE", "/v1/cache", Access::kKey,
                        [&services](Call& call) { return forget(services, call); });
    router.add_blocking("GET", "/metrics", Access::kKey,
                        [&services](Call&) { return prometheus(services); });
    // On the IO thread: a probe must be answered while every worker is busy.
    router.add_streaming("GET", "/health", Access::kOpen, [](Call&, http::Responder& responder) {
        return responder.send(json_reply(json::object{{"status", "ok"}}));
    });
}

}  // namespace jikji::api
