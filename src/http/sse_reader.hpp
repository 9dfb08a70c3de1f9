#pragma once
// Private to http: server-sent events out of bytes, for the client.
#include <functional>
#include <string>
#include <string_view>

namespace jikji::http {

/// Lines end in LF or CR LF, as every server of ours and of the SDKs sends them.
class SseReader {
public:
    /// Calls on_data with the data of each complete event; false from it ends the reading.
    bool feed(std::string_view bytes, const std::function<bool(std::string_view)>& on_data);

private:
    std::string line_;
    std::string data_;
    bool has_data_ = false;
};

}  // namespace jikji::http
