#pragma once
// Who asks, how urgently, and how long the answer is worth working for. Plain data.
#include <string>

#include "engine/request.hpp"

namespace jikji::service {

struct Caller {
    std::string tenant = "local";  // caches are never shared between tenants
    engine::Lane lane = engine::Lane::kInteractive;
    engine::Patience patience;  // its deadline counts from the request's head
};

}  // namespace jikji::service
