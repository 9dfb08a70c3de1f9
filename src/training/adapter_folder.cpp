#include "training/adapter_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/error.hpp"
#include "base/log.hpp"

namespace jikji::training {
namespace fs = std::filesystem;

std::vector<MadeAdapter> made_adapters(const fs::path& data) {
    std::vector<MadeAdapter> out;
    std::error_code missing;
    for (const auto& job : fs::directory_iterator(data / kTrainingFolder, missing)) {
        const fs::path file = job.path() / kAdapterFile;
        std::error_code unreadable;
        if (!fs::is_regular_file(file, unreadable)) continue;
        try {
            out.push_back({file, read_adapter_facts(file), job.path().filename().string()});
        } catch (const Error& error) {
            log_warn(
                fmt::format("left out of the adapters: {}: {}", job.path().string(), error.what()));
        }
    }
    std::sort(out.begin(), out.end(), [](const MadeAdapter& a, const MadeAdapter& b) {
        return a.facts.name < b.facts.name;
    });
    return out;
}

std::optional<MadeAdapter> find_made_adapter(const fs::path& data, std::string_view name) {
    for (MadeAdapter& adapter : made_adapters(data)) {
        if (adapter.facts.name == name || adapter.job == name) return std::move(adapter);
    }
    return std::nullopt;
}

}  // namespace jikji::training
