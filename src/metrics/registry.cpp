#include "metrics/registry.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace jikji::metrics {
namespace {

bool is_name(const std::string& name) {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == ':';
    };
    const bool digit_first = !name.empty() && name[0] >= '0' && name[0] <= '9';
    return !name.empty() && !digit_first && std::all_of(name.begin(), name.end(), good);
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds_.size() + 1)) {
    JIKJI_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
    JIKJI_CHECK(
        std::all_of(bounds_.begin(), bounds_.end(), [](double b) { return std::isfinite(b); }));
}

void Histogram::observe(double value) noexcept {
    if (std::isnan(value)) return;
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    const auto bucket = static_cast<std::size_t>(bound - bounds_.begin());
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
    Snapshot out;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= bounds_.size(); ++i) {
        count += buckets_[i].load(std::memory_order_relaxed);
        out.cumulative.push_back(count);
    }
    out.sum = sum_.load(std::memory_order_relaxed);
    return out;
}

std::vector<double> request_seconds_buckets() {
    return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};
}

template <typename Kind, typename... Arguments>
Kind& Registry::find_or_make(const std::string& name, const std::string& help, const Labels& labels,
                             Arguments&&... arguments) {
    JIKJI_CHECK(is_name(name));
    for (const auto& [label, value] : labels) {
        JIKJI_CHECK(is_name(label) && label.find(':') == std::string::npos && label != "le");
    }
    const std::lock_guard lock(mutex_);
    Family& family = families_[name];
    if (family.metrics.empty()) family.help = help;
    const auto same_kind = [](const auto& entry) {
        return std::holds_alternative<std::unique_ptr<Kind>>(entry.second);
    };
    JIKJI_CHECK(std::all_of(family.metrics.begin(), family.metrics.end(), same_kind));
    auto found = family.metrics.find(labels);
    if (found == family.metrics.end()) {
        auto fresh = std::make_unique<Kind>(std::forward<Arguments>(arguments)...);
        found = family.metrics.emplace(labels, std::move(fresh)).first;
    }
    return *std::get<std::unique_ptr<Kind>>(found->second);
}

Counter& Registry::counter(const std::string& name, const std::string& help, const Labels& labels) {
    return find_or_make<Counter>(name, help, labels);
}

Gauge& Registry::gauge(const std::string& name, const std::string& help, const Labels& labels) {
    return find_or_make<Gauge>(name, help, labels);
}

Histogram& Registry::histogram(const std::string& name, const std::string& help,
                               const std::vector<double>& buckets, const Labels& labels) {
    Histogram& found = find_or_make<Histogram>(name, help, labels, buckets);
    JIKJI_CHECK(found.bounds() == buckets);
    return found;
}

}  // namespace jikji::metrics
