#include "api/services.hpp"

namespace jikji::api {

void add_routes(http::Router& router, Services& services) {
    add_chat(router, services);
    add_completions(router, services);
    add_embeddings(router, services);
    add_models(router, services);
    add_files(router, services);
    add_vector_stores(router, services);
    add_vector_store_files(router, services);
    add_answers(router, services);
    add_prompts(router, services);
    add_settings(router, services);
    add_stats(router, services);
    add_evaluate(router, services);
    add_fine_tuning(router, services);
}

}  // namespace jikji::api
