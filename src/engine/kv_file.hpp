#pragma once
// One block of a prefix tree as a file: a header that says which tokens it is for, then the state.
// Every byte is covered by a digest; what does not fit is no file of ours, never an error.
//
// Format   little-endian: "JKV2", u32 header bytes, parent and own id (32 hex digits each), i32
//          start, u32 tokens, f64 seconds, u64 state bytes, i32 tokens..., sha256 of the state and
//          then of the header up to here (64 hex digits each); the state.
// Threads  any.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.hpp"

namespace jikji::engine {

struct KvHeader {
    std::string id;      // as PrefixTree::block_id
    std::string parent;  // of a block, or of a root if start is 0
    int start = 0;
    std::vector<Token> tokens;
    double seconds = 0;  // to compute it again
    std::uint64_t state_bytes = 0;
    std::string state_sha256;  // hex
};

/// Bytes that a header begins with; its length stands in them.
inline constexpr std::size_t kKvFixedBytes = 8;
inline constexpr std::size_t kKvHeaderBytesMax = 8u << 20;

/// The header's bytes; state_bytes and state_sha256 are taken from `state`.
std::string write_kv_header(KvHeader header, std::string_view state);

/// Length of the whole header, from its first kKvFixedBytes; nothing if they are not ours.
std::optional<std::size_t> kv_header_size(std::string_view fixed);

/// Nothing if a byte of it is not what was written.
std::optional<KvHeader> read_kv_header(std::string_view bytes);

bool state_is_whole(const KvHeader& header, std::string_view state);

}  // namespace jikji::engine
