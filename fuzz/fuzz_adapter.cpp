// An adapter from anyone, as a GGUF and as PEFT's weights: taken or refused with an Error, before
// libllama or an import sees it. libFuzzer's entry point; see ./dev fuzz.
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.hpp"
#include "models/adapter_check.hpp"
#include "models/safetensors.hpp"

namespace {

namespace fs = std::filesystem;
using namespace jikji;

/// A llama of one weight, as base, and a place for the input.
struct Files {
    fs::path folder = fs::temp_directory_path() / ("jikji-fuzz-" + std::to_string(::getpid()));
    fs::path base = folder / "base.gguf";
    fs::path input = folder / "input";
    Files() {
        fs::create_directories(folder);
        models::GgufWriter out;
        out.set("general.architecture", "llama");
        out.add_tensor("blk.0.attn_q.weight", {8, 8}, models::kF32,
                       [] { return std::string(256, '\0'); });
        out.write(base);
    }
    ~Files() { fs::remove_all(folder); }
};

template <typename Work>
void refused_or_done(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kRejected) std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Files files;
    fs::remove(files.input);
    std::ofstream(files.input, std::ios::binary)
        .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    refused_or_done([] { models::check_adapter(files.input, files.base); });
    refused_or_done([] {
        const models::Safetensors weights(files.input);
        for (const auto& [name, weight] : weights.weights()) {
            if (weight.type != models::WeightType::kOther) (void)models::as_f32(weight);
        }
    });
    return 0;
}
