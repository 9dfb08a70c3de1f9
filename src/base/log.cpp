#include "base/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/error.hpp"

namespace jikji {
namespace {

spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = std::make_shared<spdlog::logger>(
            "jikji", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L %v", spdlog::pattern_time_type::utc);
        made->set_level(spdlog::level::warn);
        made->flush_on(spdlog::level::info);
        return made;
    }();
    return *instance;
}

}  // namespace

void set_log_level(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug: return logger().set_level(spdlog::level::debug);
        case LogLevel::kInfo: return logger().set_level(spdlog::level::info);
        case LogLevel::kWarn: return logger().set_level(spdlog::level::warn);
        case LogLevel::kError: return logger().set_level(spdlog::level::err);
        case LogLevel::kOff: return logger().set_level(spdlog::level::off);
    }
}

LogLevel log_level_from(std::string_view name) {
    if (name == "debug") return LogLevel::kDebug;
    if (name == "info") return LogLevel::kInfo;
    if (name == "warn") return LogLevel::kWarn;
    if (name == "error") return LogLevel::kError;
    if (name == "off") return LogLevel::kOff;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("log level is {}; give debug, info, warn, error or off", name), "log_level",
        fmt::format("로그 수준이 {}입니다. debug, info, warn, error, off 중에서 고르세요.", name));
}

void log_debug(std::string_view message) { logger().debug(printable(message)); }
void log_info(std::string_view message) { logger().info(printable(message)); }
void log_warn(std::string_view message) { logger().warn(printable(message)); }

void log_error(std::string_view request_id, std::string_view message) {
    const std::string line = printable(message);
    if (request_id.empty()) return logger().error(line);
    logger().error("{} {}", request_id, line);
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte != 0x7f) {
            out += c;
        } else {
            out += fmt::format("\\x{:02x}", byte);
        }
    }
    return out;
}

}  // namespace jikji
