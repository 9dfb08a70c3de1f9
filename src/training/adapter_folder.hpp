#pragma once
// The adapters that jobs have made: <data>/training/<job id>/adapter.gguf, each with its name in
// its facts. Threads: any.
#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "training/adapter_file.hpp"

namespace jikji::training {

inline constexpr const char* kTrainingFolder = "training";  // in the data folder
inline constexpr const char* kAdapterFile = "adapter.gguf";

struct MadeAdapter {
    std::filesystem::path path;
    AdapterFacts facts;
    std::string job;  // the folder's name
};

/// By name. What cannot be read is left out, and said in the log.
std::vector<MadeAdapter> made_adapters(const std::filesystem::path& data);

/// By its name, or by its job's id. Nothing if there is none.
std::optional<MadeAdapter> find_made_adapter(const std::filesystem::path& data,
                                             std::string_view name);

}  // namespace jikji::training
