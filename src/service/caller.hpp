#pragma once
// Who asks for a generation, and how urgently. Plain data.
#include <chrono>
#include <optional>
#include <string>

#include "engine/request.hpp"

namespace jikji::service {

struct Caller {
    std::string tenant = "local";  // caches are never shared between tenants
    engine::Lane lane = engine::Lane::kInteractive;
    std::optional<std::chrono::milliseconds> timeout;  // from now; then Error(kTimeout)
};

}  // namespace jikji::service
