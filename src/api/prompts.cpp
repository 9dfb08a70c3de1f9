// /v1/prompts: create, list, show, change, delete.
#include "api/prompt_objects.hpp"
#include "api/services.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Access;
using http::Call;
using http::Reply;

Reply list_prompts(Services& services) {
    json::array data;
    for (const auto& prompt : services.prompts.list()) data.push_back(prompt_json(prompt));
    return json_reply(list_json(std::move(data), false));
}

Reply change(Services& services, const Call& call) {
    const prompts::TemplateChange wanted = parse_prompt_change(call);
    return json_reply(prompt_json(services.prompts.update(call.parameter("id"), wanted)));
}

Reply remove(Services& services, const std::string& id_or_name) {
    const std::string id = services.prompts.get(id_or_name).id;
    services.prompts.remove(id);
    return json_reply(deleted_json(id, "prompt.deleted"));
}

}  // namespace

void add_prompts(http::Router& router, Services& services) {
    const std::string all = "/v1/prompts";
    const std::string one = all + "/{id}";
    router.add_blocking("POST", all, Access::kKey, [&services](Call& call) {
        return json_reply(prompt_json(services.prompts.create(parse_prompt(call))));
    });
    router.add_blocking("GET", all, Access::kKey,
                        [&services](Call&) { return list_prompts(services); });
    router.add_blocking("GET", one, Access::kKey, [&services](Call& call) {
        return json_reply(prompt_json(services.prompts.get(call.parameter("id"))));
    });
    router.add_blocking("PATCH", one, Access::kKey,
                        [&services](Call& call) { return change(services, call); });
    router.add_blocking("DELETE", one, Access::kKey,
                        [&services](Call& call) { return remove(services, call.parameter("id")); });
}

}  // namespace jikji::api
