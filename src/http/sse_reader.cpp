#include "http/sse_reader.hpp"

#include <utility>

namespace jikji::http {

bool SseReader::feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_data) {
    for (const char c : bytes) {
        if (c != '\n') {
            line_ += c;
            continue;
        }
        if (line_.ends_with('\r')) line_.pop_back();
        if (line_.starts_with("data:")) {
            if (has_data_) data_ += '\n';
            data_ += line_.substr(line_.starts_with("data: ") ? 6 : 5);
            has_data_ = true;
        }
        const bool complete = line_.empty() && has_data_;
        line_.clear();
        if (!complete) continue;
        const std::string data = std::exchange(data_, {});
        has_data_ = false;
        if (!on_data(data)) return false;
    }
    return true;
}

}  // namespace jikji::http
