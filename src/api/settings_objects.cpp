#include "api/settings_objects.hpp"

#include "api/fields.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

constexpr std::int64_t kIntMax = std::numeric_limits<int>::max();

std::optional<int> read_int(http::Fields& fields, std::string_view name) {
    const auto number = fields.optional_integer(name, {-kIntMax, kIntMax});
    if (!number) return std::nullopt;
    return static_cast<int>(*number);
}

std::optional<float> read_float(http::Fields& fields, std::string_view name) {
    // The service has the narrower range; this one is what a float can hold.
    const auto number = fields.optional_number(name, {-1e30, 1e30});
    if (!number) return std::nullopt;
    return static_cast<float>(*number);
}

}  // namespace

json::object settings_json(const service::GenerationSettings& settings) {
    return {{"object", "settings.generation"},
            {"max_tokens", settings.max_tokens},
            {"temperature", shortest(settings.temperature)},
            {"top_p", shortest(settings.top_p)},
            {"top_k", settings.top_k},
            {"repeat_penalty", shortest(settings.repeat_penalty)},
            {"stop", json::value_from(settings.stop)},
            {"openai_routes", settings.openai_routes}};
}

service::GenerationSettingsChange parse_settings_change(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    http::Fields fields(body);
    service::GenerationSettingsChange out;
    out.max_tokens = read_int(fields, "max_tokens");
    out.temperature = read_float(fields, "temperature");
    out.top_p = read_float(fields, "top_p");
    out.top_k = read_int(fields, "top_k");
    out.repeat_penalty = read_float(fields, "repeat_penalty");
    out.stop = fields.optional_strings("stop", limits::kStopStrings);
    out.openai_routes = fields.optional_bool("openai_routes");
    fields.refuse_unknown({"object"});  // a whole object may come back as it was given
    return out;
}

}  // namespace jikji::api
