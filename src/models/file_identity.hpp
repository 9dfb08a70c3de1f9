#pragma once
// One model file told from another, for what is kept of a file beyond the process: states on disk,
// measured weights, the fingerprint that a seed belongs to. Milliseconds, whatever its size: a load
// must not wait for 4 GB to be read.
//
// What it looks at: size, time of writing (to the nanosecond), inode, the first MiB (all metadata
// of small models), the last 64 KiB, and 4 KiB at 128 places in equal steps.
//
// Why that is enough: equal identities of different bytes need a file of the same size, written
// into the same inode at the same nanosecond, that differs at none of the places. A replacement by
// rename (models add, merge-adapter, any download) is a new inode; writing in place sets a new
// time; and where tools set times back or a file system numbers its files anew, a merge or another
// quantisation changes tensors throughout, which the places see. The opposite error, one file with
// two identities (touched, or copied elsewhere), costs one computation more and no wrong answer.
#include <filesystem>
#include <string>

namespace jikji::models {

/// 64 hex digits. Throws Error as read_file().
std::string file_identity(const std::filesystem::path& file);

}  // namespace jikji::models
