#pragma once
// The log: one line an event on standard error, English, control bytes escaped.
// Threads: any. Set up once by app.
#include <string>
#include <string_view>

namespace jikji {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

void set_log_level(LogLevel level);
LogLevel log_level_from(std::string_view name);  // throws Error(kInvalidArgument)

void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);
/// `request_id` ties the line to the answer that a client saw; empty if there is none.
void log_error(std::string_view request_id, std::string_view message);

/// Bytes below 0x20 and 0x7f written as \xNN, so that no document or client can paint a terminal.
std::string printable(std::string_view text);

}  // namespace jikji
