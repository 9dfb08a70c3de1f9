#pragma once
// A trainer's whole state as a file, ckpt-<step>.gguf: the adapter's values, both moments of the
// optimiser, and how far it is. A file that is torn or changed is never taken: it holds the SHA-256
// of everything in it. Threads: one writer in a folder.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace jikji::training {

/// A loss over what is held out.
struct HeldOutLoss {
    std::int64_t step = 0;
    double loss = 0;
    double right = 0;
};

/// All but the large arrays.
struct CheckpointHead {
    std::int64_t step = 0;    // that are done
    std::int64_t tokens = 0;  // likewise
    double loss = 0;          // of the last step
    double right = 0;
    std::optional<HeldOutLoss> base;      // of the base alone
    std::optional<HeldOutLoss> held_out;  // the last one
    /// What the values depend on, a "name=value" a line: a run goes on only from its own.
    std::string identity;
};

struct Checkpoint {
    CheckpointHead head;
    std::vector<float> values, first, second;
};

/// Durable and all or nothing; then only the newest two are kept; where the disk is full, only the
/// newest is while the next is written. The file's path. Throws as PendingFile, and leaves the
/// newest that was there.
std::filesystem::path write_checkpoint(const std::filesystem::path& folder,
                                       const CheckpointHead& head, std::span<const float> values,
                                       std::span<const float> first, std::span<const float> second);

/// Throws Error(kRejected) if it is not whole.
Checkpoint read_checkpoint(const std::filesystem::path& file);

/// The sound one with the most steps; those that are not are passed over, and said in the log.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& folder);

/// Removes what a process that was killed left half written.
void remove_unfinished(const std::filesystem::path& folder);

/// The first line that differs: "epochs: 3 then, 5 now"; empty if none.
std::string difference(const std::string& then, const std::string& now);

}  // namespace jikji::training
