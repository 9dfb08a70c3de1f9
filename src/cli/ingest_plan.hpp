#pragma once
// Which files `jikji ingest PATH…` takes: those that are named, and in folders, at any depth,
// those of a kind that can be read. Threads: any.
#include <filesystem>
#include <string>
#include <vector>

#include "base/language.hpp"

namespace jikji::cli {

struct IngestPlan {
    std::vector<std::filesystem::path> files;  // sorted, each once
    struct Problem {
        std::filesystem::path path;
        std::string text;  // in the language that was asked for
    };
    std::vector<Problem> problems;  // a path that is not there, a folder with nothing to read
};

/// Hidden files and folders below a named folder are left out, as are links to folders.
IngestPlan plan_ingest(const std::vector<std::filesystem::path>& paths, Language language);

}  // namespace jikji::cli
