#pragma once
// Counters, gauges and histograms by name and labels; prometheus.hpp writes them out.
//
// Threads  any. Counting is lock-free; looking a metric up takes a lock, so keep the reference,
//          which holds as long as the registry.
// Names    [a-zA-Z_:][a-zA-Z0-9_:]*; a name has one kind, one help text and one set of buckets.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace jikji::metrics {

/// Sorted by name; the values may hold anything.
using Labels = std::map<std::string, std::string>;

/// Goes up only; starts at 0 in each process unless restored.
class Counter {
public:
    void add(double amount = 1) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
    double value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

class Gauge {
public:
    void set(double value) noexcept { value_.store(value, std::memory_order_relaxed); }
    void add(double amount) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
    double value() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<double> value_{0};
};

class Histogram {
public:
    /// Upper bounds, inclusive, ascending, without the infinite one. Requires: finite values.
    explicit Histogram(std::vector<double> bounds);

    void observe(double value) noexcept;  // a value that is not a number is not counted

    const std::vector<double>& bounds() const noexcept { return bounds_; }
    struct Snapshot {
        std::vector<std::uint64_t> cumulative;  // bounds().size() + 1; the last is the count
        double sum = 0;
    };
    Snapshot snapshot() const;

private:
    std::vector<double> bounds_;
    std::unique_ptr<std::atomic<std::uint64_t>[]> buckets_;  // bounds_.size() + 1, not cumulative
    std::atomic<double> sum_{0};
};

/// Upper bounds in seconds that suit a request to a language model: 5 ms to 2 minutes.
std::vector<double> request_seconds_buckets();

class Registry {
public:
    /// The metric of that name and those labels, made at the first call. Throws Error(kInternal)
    /// for a bad name, or one that is in use with another kind.
    Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
    Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
    Histogram& histogram(const std::string& name, const std::string& help,
                         const std::vector<double>& buckets, const Labels& labels = {});

    using Metric =
        std::variant<std::unique_ptr<Counter>, std::unique_ptr<Gauge>, std::unique_ptr<Histogram>>;
    struct Family {
        std::string help;
        std::map<Labels, Metric> metrics;
    };

    /// Calls `visit(name, family)` in the order of the names, with the lock held.
    template <typename Visit>
    void for_each(Visit visit) const {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, family] : families_) visit(name, family);
    }

private:
    template <typename Kind, typename... Arguments>
    Kind& find_or_make(const std::string& name, const std::string& help, const Labels& labels,
                       Arguments&&... arguments);

    mutable std::mutex mutex_;
    std::map<std::string, Family> families_;
};

}  // namespace jikji::metrics
