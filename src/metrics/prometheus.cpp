#include "metrics/prometheus.hpp"

#include <fmt/format.h>

#include <cmath>

namespace jikji::metrics {
namespace {

std::string number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}

// Help texts keep their quotes; label values do not.
std::string escaped(const std::string& text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') {
            out += "\\\\";
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '"' && quotes) {
            out += "\\\"";
        } else {
            out += c;
        }
    }
    return out;
}

/// {a="1",le="0.5"}, or nothing. `bound` empty: no `le`.
std::string label_text(const Labels& labels, const std::string& bound = {}) {
    std::string inside;
    for (const auto& [name, value] : labels) {
        inside += fmt::format("{}{}=\"{}\"", inside.empty() ? "" : ",", name, escaped(value, true));
    }
    if (!bound.empty()) inside += fmt::format("{}le=\"{}\"", inside.empty() ? "" : ",", bound);
    return inside.empty() ? inside : "{" + inside + "}";
}

void write(std::string& out, const std::string& name, const Labels& labels,
           const Histogram& histogram) {
    const Histogram::Snapshot now = histogram.snapshot();
    for (std::size_t i = 0; i < now.cumulative.size(); ++i) {
        const bool last = i == histogram.bounds().size();
        out += fmt::format("{}_bucket{} {}\n", name,
                           label_text(labels, last ? "+Inf" : number(histogram.bounds()[i])),
                           now.cumulative[i]);
    }
    out += fmt::format("{}_sum{} {}\n", name, label_text(labels), number(now.sum));
    out += fmt::format("{}_count{} {}\n", name, label_text(labels), now.cumulative.back());
}

template <typename Single>  // Counter, Gauge
void write(std::string& out, const std::string& name, const Labels& labels, const Single& metric) {
    out += fmt::format("{}{} {}\n", name, label_text(labels), number(metric.value()));
}

const char* kind_of(const Registry::Metric& metric) {
    constexpr const char* kKinds[] = {"counter", "gauge", "histogram"};  // the variant's order
    return kKinds[metric.index()];
}

}  // namespace

std::string prometheus_text(const Registry& registry) {
    std::string out;
    registry.for_each([&out](const std::string& name, const Registry::Family& family) {
        if (family.metrics.empty()) return;
        out += fmt::format("# HELP {} {}\n", name, escaped(family.help, false));
        out += fmt::format("# TYPE {} {}\n", name, kind_of(family.metrics.begin()->second));
        for (const auto& [labels, metric] : family.metrics) {
            std::visit([&, &where = labels](const auto& one) { write(out, name, where, *one); },
                       metric);
        }
    });
    return out;
}

}  // namespace jikji::metrics
