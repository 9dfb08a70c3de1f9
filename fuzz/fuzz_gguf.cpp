// The GGUF reader against arbitrary bytes: it reads or throws Error, and what it says lies within
// the file. Also what is derived from it for people. Build: clang++ -fsanitize=fuzzer,address.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "models/gguf.hpp"
#include "models/inspect.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    try {
        const jikji::models::Gguf gguf = jikji::models::parse_gguf(bytes, "fuzz.gguf");
        for (const auto& tensor : gguf.tensors) {
            if (tensor.offset > size || tensor.bytes > size - tensor.offset) std::abort();
        }
        const auto facts = jikji::models::facts_of(gguf);
        (void)jikji::models::describe(facts, 4096, 1u << 30, jikji::Language::kKorean);
    } catch (const jikji::Error& error) {
        if (error.code() != jikji::ErrorCode::kRejected) std::abort();
    }
    return 0;
}
