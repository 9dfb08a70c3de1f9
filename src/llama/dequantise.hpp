#pragma once
// Blocks of a GGUF to floats: ggml's own conversions, but for those that large models wait for,
// Q4_K, Q6_K and F16 (9, 1.5 and 0.9 values a nanosecond and core in ggml). Same values, but that
// Q4_K is rounded once where ggml rounds twice.
#include <cstdint>

namespace jikji::llama {

/// `count` values, a multiple of the type's block; both without gaps.
using ToFloats = void (*)(const void* blocks, float* out, std::int64_t count);

/// For a value of ggml_type; null if the type has no conversion (or is F32).
ToFloats to_floats_of(int type);

}  // namespace jikji::llama
