#pragma once
// From the catalogue's files to one checked GGUF file. Threads: one at a time per folder.
#include <filesystem>

#include "base/progress.hpp"
#include "models/catalogue.hpp"

namespace jikji::models {

/// Fetches what `entry` needs into `work` (which exists), makes the GGUF file there, holds it
/// against the catalogue's sha256, and returns its path in `work`; the caller moves it. What was
/// fetched is removed once it is no longer needed. Throws as fetch(), and Error(kRejected) if what
/// came out is not the promised file.
std::filesystem::path make_model(const CatalogueEntry& entry, const std::filesystem::path& work,
                                 const ProgressOptions& progress);

}  // namespace jikji::models
