#pragma once
// What a training step computes on: tokens of whole samples, and which of them are to be learnt.
#include <cstdint>
#include <vector>

namespace jikji::training {

using Token = std::int32_t;

/// One sample. Token i is predicted from those before it; it counts if learnt[i] is set.
/// learnt[0] is never set. At least one token is learnt.
struct Sample {
    std::vector<Token> tokens;
    std::vector<std::uint8_t> learnt;  // as long as tokens
    int line = 0;                      // of the file, from 1

    int learnt_count() const;
};

/// Samples one behind the other in one row, without padding. A sample never sees another one, and
/// its positions start at 0.
struct Pack {
    std::vector<Token> tokens;
    std::vector<std::uint8_t> learnt;
    std::vector<int> starts;  // of each sample in tokens; starts[0] is 0
    std::vector<std::uint64_t>
        samples;  // their numbers, for dropout that does not depend on packing

    int size() const { return static_cast<int>(tokens.size()); }
};

/// First fit in the given order into packs of at most `tokens_most`; a sample that is longer has a
/// pack of its own. `numbers` are those of `samples` (Pack::samples).
std::vector<Pack> pack(const std::vector<const Sample*>& samples,
                       const std::vector<std::uint64_t>& numbers, int tokens_most);

}  // namespace jikji::training
