#include "service/settings.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "base/error.hpp"
#include "base/log.hpp"
#include "service/ranges.hpp"
#include "storage/connection.hpp"
#include "storage/database.hpp"
#include "storage/settings_table.hpp"

namespace jikji::service {
namespace {

constexpr const char* kPrefix = "generation.";
constexpr const char* kStopPrefix = "generation.stop.";
constexpr const char* kStopCount = "generation.stop.count";

using Rows = std::map<std::string, std::string>;

template <typename Number>
void read_number(const Rows& rows, const char* name, Number& target) {
    const auto found = rows.find(std::string(kPrefix) + name);
    if (found == rows.end()) return;
    const std::string& text = found->second;
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) target = value;
}

void read_stop(const Rows& rows, std::vector<std::string>& stop) {
    if (!rows.contains(kStopCount)) return;
    int count = 0;
    read_number(rows, "stop.count", count);
    stop.clear();
    for (int i = 0; i < count; ++i) {
        const auto found = rows.find(kStopPrefix + std::to_string(i));
        if (found != rows.end()) stop.push_back(found->second);
    }
}

void check(const GenerationSettings& settings) {
    check_range("max_tokens", std::int64_t{settings.max_tokens});
    check_range("temperature", double{settings.temperature});
    check_range("top_p", double{settings.top_p});
    check_range("top_k", std::int64_t{settings.top_k});
    check_range("repeat_penalty", double{settings.repeat_penalty});
    check_stop(settings.stop);
}

GenerationSettings read(const Rows& rows) {
    GenerationSettings out;
    read_number(rows, "max_tokens", out.max_tokens);
    read_number(rows, "temperature", out.temperature);
    read_number(rows, "top_p", out.top_p);
    read_number(rows, "top_k", out.top_k);
    read_number(rows, "repeat_penalty", out.repeat_penalty);
    read_stop(rows, out.stop);
    int openai_routes = out.openai_routes ? 1 : 0;
    read_number(rows, "openai_routes", openai_routes);
    out.openai_routes = openai_routes != 0;
    return out;
}

void write(storage::SettingsTable table, const GenerationSettings& settings) {
    const auto put = [&table](const char* name, const auto& value) {
        table.put(std::string(kPrefix) + name, fmt::format("{}", value));
    };
    put("max_tokens", settings.max_tokens);
    put("temperature", settings.temperature);
    put("top_p", settings.top_p);
    put("top_k", settings.top_k);
    put("repeat_penalty", settings.repeat_penalty);
    put("openai_routes", settings.openai_routes ? 1 : 0);
    table.erase_prefix(kStopPrefix);
    put("stop.count", settings.stop.size());
    for (std::size_t i = 0; i < settings.stop.size(); ++i) {
        table.put(kStopPrefix + std::to_string(i), settings.stop[i]);
    }
}

template <typename Value>
void take(const std::optional<Value>& given, Value& target) {
    if (given) target = *given;
}

}  // namespace

Settings::Settings(storage::Database& database) : database_(database) {
    Rows rows;
    database_.read([&rows](storage::Connection& connection) {
        rows = storage::SettingsTable(connection).with_prefix(kPrefix);
    });
    const GenerationSettings kept = read(rows);
    try {
        check(kept);
        generation_ = kept;
    } catch (const Error& error) {  // edited by hand: the defaults are better than no start
        log_warn(fmt::format("the kept generation settings are not used: {}", error.what()));
    }
}

GenerationSettings Settings::generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
}

GenerationSettings Settings::change(const GenerationSettingsChange& change) {
    const std::lock_guard lock(mutex_);
    GenerationSettings next = generation_;
    take(change.max_tokens, next.max_tokens);
    take(change.temperature, next.temperature);
    take(change.top_p, next.top_p);
    take(change.top_k, next.top_k);
    take(change.repeat_penalty, next.repeat_penalty);
    take(change.stop, next.stop);
    take(change.openai_routes, next.openai_routes);
    check(next);
    database_.write([&next](storage::Connection& connection) {
        write(storage::SettingsTable(connection), next);
    });
    generation_ = next;
    return next;
}

}  // namespace jikji::service
