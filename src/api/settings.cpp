// GET and PATCH /v1/settings/generation.
#include "service/settings.hpp"

#include "api/services.hpp"
#include "api/settings_objects.hpp"
#include "http/router.hpp"

namespace jikji::api {

void add_settings(http::Router& router, Services& services) {
    const std::string path = "/v1/settings/generation";
    router.add_blocking("GET", path, http::Access::kKey, [&services](http::Call&) {
        return json_reply(settings_json(services.settings.generation()));
    });
    router.add_blocking("PATCH", path, http::Access::kKey, [&services](http::Call& call) {
        const auto change = parse_settings_change(call);
        return json_reply(settings_json(services.settings.change(change)));
    });
}

}  // namespace jikji::api
