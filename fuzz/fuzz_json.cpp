// JSON bodies from anyone: a text is refused with an Error, or parsed into a value that is written
// out and read again as the same value. libFuzzer's entry point; see ./dev fuzz.
#include <cstdint>
#include <cstdlib>

#include "base/error.hpp"
#include "http/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace http = jikji::http;
    http::json::value value;
    try {
        value = http::parse_json({reinterpret_cast<const char*>(data), size});
    } catch (const jikji::Error&) {
        return 0;
    }
    if (http::parse_json(http::json::serialize(value)) != value) std::abort();
    return 0;
}
