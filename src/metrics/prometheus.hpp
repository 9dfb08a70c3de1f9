#pragma once
// The text that Prometheus reads (exposition format 0.0.4): families sorted by name, metrics by
// their labels, so that two scrapes of equal figures are equal texts. Threads: any.
#include <string>

#include "metrics/registry.hpp"

namespace jikji::metrics {

inline constexpr const char* kPrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

std::string prometheus_text(const Registry& registry);

}  // namespace jikji::metrics
