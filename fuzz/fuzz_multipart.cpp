// Multipart bodies from anyone: whatever comes, cut anywhere, gives the same parts or an Error.
// The first byte says where the rest is cut. libFuzzer's entry point; see ./dev fuzz.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/error.hpp"
#include "http/multipart.hpp"

namespace {

class Recorder : public jikji::http::PartSink {
public:
    void begin(const jikji::http::PartHead& head) override {
        text += head.name + '\1' + head.filename.value_or("") + '\1' + head.content_type + '\1';
    }
    void data(std::string_view bytes) override { text += bytes; }
    void end() override { text += '\2'; }
    std::string text;
};

struct Outcome {
    bool taken = false;
    std::string parts;
};

Outcome parse(std::string_view body, std::size_t piece) {
    Recorder recorder;
    try {
        jikji::http::MultipartParser parser("B", recorder);
        for (; !body.empty(); body.remove_prefix(std::min(piece, body.size())))
            parser.feed(body.substr(0, piece));
        parser.finish();
    } catch (const jikji::Error&) {
        return {};
    }
    return {true, std::move(recorder.text)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Outcome whole = parse(body, body.size() + 1);
    const Outcome cut = parse(body, std::size_t{1} + data[0] % 61);
    if (whole.taken != cut.taken || whole.parts != cut.parts) std::abort();
    return 0;
}
