#pragma once
// An adapter put into its base for good: a new GGUF whose adapted weights are W + scale · B · A.
// All metadata and all other tensors are copied as they are. Threads: any.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "training/adapter_file.hpp"

namespace jikji::training {

/// In what the adapted weights are written. An adapter moves weights by less than the steps of 4
/// bits, so that rounding back to them may lose part of what was learnt.
enum class MergedType {
    kAuto,    // as the base has them where that is 8 bits or more, else Q8_0
    kAsBase,  // the size of the base
    kQ8_0,
    kF16,
};
/// "auto", "base", "q8_0", "f16". Throws Error(kInvalidArgument, "type").
MergedType merged_type_named(std::string_view name);

struct MergeOptions {
    std::string name;  // of the new model: general.name
    MergedType type = MergedType::kAuto;
    /// Called between pieces of at most some milliseconds with the bytes made, of `total`; false
    /// stops the merge. May be empty.
    std::function<bool(std::uint64_t done, std::uint64_t total)> poll;
};

/// Requires: `lora` was read for base.shape(). Durable and all or nothing. Throws
/// Error(kDiskFull), Error(kCancelled) if poll() said so, Error(kRejected, "adapter") if a merged
/// weight is too large for its type.
void merge_adapter(const BaseModel& base, const AdapterFacts& facts, const Lora& lora,
                   const std::filesystem::path& target, const MergeOptions& options);

}  // namespace jikji::training
