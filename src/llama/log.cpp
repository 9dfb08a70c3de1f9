#include "llama/log.hpp"

#include <common.h>
#include <llama.h>
#include <log.h>

#include <mutex>

#include "base/log.hpp"

namespace jikji::llama {
namespace {

constexpr std::size_t kKeptBytes = 4096;

struct Errors {
    std::mutex mutex;
    std::string text;
};

Errors& errors() {
    static Errors instance;
    return instance;
}

void on_line(ggml_log_level level, const char* text, void*) noexcept {
    if (level < GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_CONT) return;
    try {
        std::string line(text);
        while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
        log_debug(line);
        if (level != GGML_LOG_LEVEL_ERROR) return;
        const std::lock_guard lock(errors().mutex);
        if (errors().text.size() > kKeptBytes) return;
        if (!errors().text.empty()) errors().text += "; ";
        errors().text += line;
    } catch (...) {  // a log line is never worth a crash
    }
}

}  // namespace

void capture_log() {
    llama_log_set(on_line, nullptr);
    common_log_pause(common_log_main());  // the common library's own log prints to standard output
    llama_backend_init();
}

std::string recent_errors() {
    const std::lock_guard lock(errors().mutex);
    return errors().text;
}

void forget_errors() {
    const std::lock_guard lock(errors().mutex);
    errors().text.clear();
}

}  // namespace jikji::llama
