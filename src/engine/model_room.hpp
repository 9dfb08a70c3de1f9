#pragma once
// Which models may lie in memory together: pure arithmetic, without a model. Threads: any.
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace jikji::engine {

/// A model that is loaded. Those of one base share its weights, which stay while one of them does.
struct Occupant {
    std::string name;
    std::uint64_t bytes = 0;          // its own
    std::string weights = {};         // which ones it shares; empty = none
    std::uint64_t weights_bytes = 0;  // of all who share them, together
    std::uint64_t last_use = 0;       // greater = later
    bool pinned = false;              // never unloaded
    bool preferred = false;           // a default model: unloaded only if no other one will do
    bool busy = false;                // computes, or somebody holds it
};

/// How much memory models may take, in bytes.
struct MemoryLimit {
    std::uint64_t fixed = 0;      // as somebody told; 0 = from what is free
    std::uint64_t available = 0;  // of the machine or the container now; 0 = nobody knows
    std::uint64_t held = 0;       // by loaded models, and so missing from `available`
    std::uint64_t reserve = 0;    // for everything else; at most a quarter of the whole is left
    std::uint64_t bytes() const;  // the greatest number if nobody knows
};

struct RoomPlan {
    enum class Outcome {
        kFits,    // once those of `unload` are gone
        kBusy,    // it would fit if models ended that compute now
        kTooBig,  // it does not fit beside the pinned ones
    };
    Outcome outcome = Outcome::kFits;
    std::vector<std::string> unload;  // of kFits: idle, the least recently used first
};

/// Bytes of all of them, shared weights once.
std::uint64_t bytes_of(const std::vector<Occupant>& loaded);

/// Makes room for `wanted` below `limit` among those that are `loaded`. Unloads as little as it
/// can: not one model that would fit beside the new one.
RoomPlan make_room(const Occupant& wanted, std::uint64_t limit, std::vector<Occupant> loaded);

/// What to tell the client where the outcome was not kFits: kInvalidArgument of field "model" (it
/// will fail again, so no client should retry by itself), or kOverloaded with retry_after().
Error no_room_error(const Occupant& wanted, std::uint64_t limit,
                    const std::vector<Occupant>& loaded, RoomPlan::Outcome outcome);

}  // namespace jikji::engine
