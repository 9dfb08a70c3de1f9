#pragma once
// What the routes work with. app builds the objects and calls add_routes once, before the server
// runs. Threads: everything here may be used from any.
namespace jikji::http {
class Router;
}
namespace jikji::metrics {
class Registry;
}
namespace jikji::engine {
class Engine;
}
namespace jikji::service {
class Answers;
class Chat;
class Collections;
class Embeddings;
class Files;
class FineTuning;
class PromptLibrary;
class ResponseCache;
class Settings;
class Stats;
}  // namespace jikji::service

namespace jikji::api {

/// References: all must outlive the router.
struct Services {
    engine::Engine& engine;
    service::Chat& chat;
    service::Embeddings& embeddings;
    service::Files& files;
    service::Collections& collections;
    service::Answers& answers;
    service::PromptLibrary& prompts;
    service::Settings& settings;
    service::Stats& stats;
    service::ResponseCache& cache;
    metrics::Registry& registry;
    service::FineTuning& fine_tuning;
};

/// All routes of the API. `services` must outlive the router.
void add_routes(http::Router& router, Services& services);

void add_chat(http::Router& router, Services& services);                // /v1/chat/completions
void add_completions(http::Router& router, Services& services);         // /v1/completions
void add_embeddings(http::Router& router, Services& services);          // /v1/embeddings
void add_models(http::Router& router, Services& services);              // /v1/models
void add_files(http::Router& router, Services& services);               // /v1/files
void add_vector_stores(http::Router& router, Services& services);       // /v1/vector_stores
void add_vector_store_files(http::Router& router, Services& services);  // …/{id}/files
void add_answers(http::Router& router, Services& services);             // /v1/answers
void add_prompts(http::Router& router, Services& services);             // /v1/prompts
void add_settings(http::Router& router, Services& services);            // /v1/settings/generation
/// /v1/stats, /v1/cache, /metrics, /health
void add_stats(http::Router& router, Services& services);
void add_evaluate(http::Router& router, Services& services);     // /v1/evaluate
void add_fine_tuning(http::Router& router, Services& services);  // /v1/fine_tuning/jobs

}  // namespace jikji::api
