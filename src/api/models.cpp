// GET /v1/models and /v1/models/{id}: every model that is known, loaded or not. DELETE: of those
// that fine-tuning has made.
#include <fmt/format.h>

#include <map>
#include <string>

#include "api/objects.hpp"
#include "api/services.hpp"
#include "base/error.hpp"
#include "http/router.hpp"
#include "service/chat.hpp"
#include "service/fine_tuning.hpp"

namespace jikji::api {
namespace {

using Warnings = std::map<std::string, std::string>;  // model -> why it is better not used

Warnings warnings_of(const Services& services, Language language) {
    Warnings out;
    for (const auto& job : services.fine_tuning.with_models()) {
        std::string why = service::warning_of(job, language == Language::kKorean);
        if (!why.empty()) out[job.fine_tuned_model] = std::move(why);
    }
    return out;
}

json::object model_json(const engine::ModelStatus& model, std::int64_t created,
                        const Warnings& warnings) {
    json::object extra = {{"loaded", model.loaded}, {"pinned", model.pinned},
                          {"bytes", model.bytes},   {"embedding", model.embedding},
                          {"context", nullptr},     {"dimensions", nullptr},
                          {"base", nullptr},        {"warning", nullptr}};
    if (!model.base.empty()) extra["base"] = model.base;
    if (model.context > 0) extra["context"] = model.context;
    if (model.dimensions > 0) extra["dimensions"] = model.dimensions;
    if (const auto why = warnings.find(model.name); why != warnings.end()) {
        extra["warning"] = why->second;
    }
    return {{"id", model.name},
            {"object", "model"},
            {"created", created},
            {"owned_by", "local"},
            {"kind", model.embedding ? "embedding" : "chat"},  // an extension, as the next
            {"jikji", std::move(extra)}};
}

http::Reply list_models(Services& services, std::int64_t created, Language language) {
    const Warnings warnings = warnings_of(services, language);
    json::array data;
    for (const auto& model : services.engine.models()) {
        data.push_back(model_json(model, created, warnings));
    }
    return json_reply(json::object{{"object", "list"}, {"data", std::move(data)}});
}

http::Reply get_model(Services& services, std::int64_t created, const http::Call& call) {
    const std::string& name = call.parameter("id");
    for (const auto& model : services.engine.models()) {
        if (model.name != name) continue;
        return json_reply(model_json(model, created, warnings_of(services, call.language)));
    }
    throw Error(
        ErrorCode::kModelNotFound,
        fmt::format("there is no model '{}'; GET /v1/models names those there are", name), "model",
        fmt::format("모델 '{}'이(가) 없습니다. GET /v1/models에 있는 모델이 나옵니다.", name));
}

http::Reply delete_model(Services& services, const std::string& name) {
    if (!name.starts_with("ft:")) {
        throw Error(
            ErrorCode::kUnsupported,
            fmt::format("{} is not a fine-tuned model; jikji models rm removes others", name),
            "model",
            fmt::format("{}은(는) 미세 조정된 모델이 아닙니다. 다른 모델은 jikji models rm으로 "
                        "지웁니다.",
                        name));
    }
    services.fine_tuning.remove_model(name);
    return json_reply(deleted_json(name, "model"));
}

}  // namespace

void add_models(http::Router& router, Services& services) {
    const std::int64_t created = now_seconds();  // a model is offered since the server's start
    router.add_blocking("GET", "/v1/models", http::Access::kKey,
                        [&services, created](http::Call& call) {
                            return list_models(services, created, call.language);
                        });
    router.add_blocking(
        "GET", "/v1/models/{id}", http::Access::kKey,
        [&services, created](http::Call& call) { return get_model(services, created, call); });
    router.add_blocking(
        "DELETE", "/v1/models/{id}", http::Access::kKey,
        [&services](http::Call& call) { return delete_model(services, call.parameter("id")); });
}

}  // namespace jikji::api
