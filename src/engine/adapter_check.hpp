#pragma once
// An adapter's file, looked at before libllama sees it (models/adapter_check.hpp), and the digest
// by which what was computed with it is known. Threads: any.
#include <filesystem>
#include <string>

namespace jikji::engine {

/// The sha256 of the adapter, which fits the base. Reads all of it. Throws as
/// models::check_adapter().
std::string check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base);

}  // namespace jikji::engine
