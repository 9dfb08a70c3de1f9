#pragma once
// Generation settings (S9) as JSON and back. Threads: any; pure.
#include "api/objects.hpp"
#include "http/call.hpp"
#include "service/settings.hpp"

namespace jikji::api {

json::object settings_json(const service::GenerationSettings& settings);
service::GenerationSettingsChange parse_settings_change(const http::Call& call);

}  // namespace jikji::api
