// POST /v1/evaluate: what can be said of an answer without a judge (S16).
#include "api/fields.hpp"
#include "api/objects.hpp"
#include "api/services.hpp"
#include "evaluation/quality.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

http::Reply evaluate(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    http::Fields fields(body);
    const std::string response = fields.required_string("response");
    const auto expected = fields.optional_string("expected");
    fields.refuse_unknown();
    std::optional<std::string_view> wanted;
    if (expected) wanted = *expected;
    const evaluation::Quality quality = evaluation::quality_of(response, wanted);
    json::object out = {{"object", "evaluation"},
                        {"length", quality.length},
                        {"has_code", quality.has_code},
                        {"politeness", quality.politeness},
                        {"relevance", nullptr}};
    if (quality.relevance) out["relevance"] = *quality.relevance;
    return json_reply(out);
}

}  // namespace

void add_evaluate(http::Router& router, Services&) {
    router.add_blocking("POST", "/v1/evaluate", http::Access::kKey,
                        [](http::Call& call) { return evaluate(call); });
}

}  // namespace jikji::api
