#pragma once
// A copy of a model file with its weights in another type.
// Threads   any; takes `threads` of its own while it works, and memory for the largest tensor.
#include <filesystem>
#include <functional>
#include <string_view>

namespace jikji::llama {

enum class Layout { kQ8_0, kQ4_0, kBf16 };

std::string_view name_of(Layout layout);  // "q8_0", as part of file names

/// Writes all matrices of `from` in that type to `to`; vectors (norms, biases) stay as they are.
/// `poll`, if given, is called ten times a second with the bytes written so far. Throws
/// Error(kDiskFull), or Error(kRejected) if libllama cannot convert the file; then `to` is gone.
void requantise(const std::filesystem::path& from, const std::filesystem::path& to, Layout layout,
                int threads, const std::function<void(std::uint64_t bytes)>& poll = {});

}  // namespace jikji::llama
