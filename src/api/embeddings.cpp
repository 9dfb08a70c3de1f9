// POST /v1/embeddings.
#include "service/embeddings.hpp"

#include "api/embedding_objects.hpp"
#include "api/services.hpp"
#include "http/router.hpp"

namespace jikji::api {

void add_embeddings(http::Router& router, Services& services) {
    router.add_blocking(
        "POST", "/v1/embeddings", http::Access::kKey, [&services](http::Call& call) {
            const EmbeddingsCall parsed = parse_embeddings(call);
            const auto result = services.embeddings.embed(parsed.request);
            const std::string& asked = parsed.request.model;
            const std::string& model = asked.empty() ? services.embeddings.default_model() : asked;
            http::Reply reply;
            reply.body = embeddings_body(result, model, parsed.base64);
            return reply;
        });
}

}  // namespace jikji::api
