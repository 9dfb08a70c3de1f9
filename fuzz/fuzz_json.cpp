// JSON bodies from anyone: a text is refused with an Error, or parsed into a value that can be
// written out and read again. The two are not compared: Boost.JSON 1.81 rounds the last bit of a
// long number differently each time. libFuzzer's entry point; see ./dev fuzz.
#include <cstdint>
#include <string>

#include "base/error.hpp"
#include "http/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace http = jikji::http;
    std::string again;
    try {
        again =
            http::json::serialize(http::parse_json({reinterpret_cast<const char*>(data), size}));
    } catch (const jikji::Error&) {
        return 0;
    }
    http::parse_json(again);  // an Error that leaves here ends the fuzzer
    return 0;
}
