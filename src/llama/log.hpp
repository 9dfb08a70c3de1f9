#pragma once
// libllama's log: it has one callback for the whole process, so what it said lately is kept here
// and its cause is put into our errors.
#include <string>

namespace jikji::llama {

/// Sends libllama's log to ours (warnings and errors as debug lines). Call once, before any load.
void capture_log();

/// The error lines since the last call of forget_errors(), joined; for a failed load.
std::string recent_errors();
void forget_errors();

}  // namespace jikji::llama
