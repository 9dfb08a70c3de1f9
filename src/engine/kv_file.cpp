#include "engine/kv_file.hpp"

#include <bit>
#include <cstring>

#include "base/ids.hpp"
#include "engine/prefix_tree.hpp"

namespace jikji::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::string_view kMagic = "JKV2";
constexpr std::size_t kIdBytes = 32;
constexpr std::size_t kDigestBytes = 64;

template <typename Number>
void put(std::string& out, Number value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Takes values off the front; what is missing reads as nothing and turns `ok` false.
struct Reader {
    template <typename Number>
    Number number() {
        Number value{};
        const std::string_view raw = take(sizeof value);
        if (ok) std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    std::string_view take(std::size_t count) {
        if (rest.size() < count) ok = false;
        if (!ok) return {};
        const std::string_view out = rest.substr(0, count);
        rest.remove_prefix(count);
        return out;
    }
    std::string_view rest;
    bool ok = true;
};

}  // namespace

std::string write_kv_header(KvHeader header, std::string_view state) {
    std::string out(kMagic);
    const std::size_t tokens_bytes = header.tokens.size() * sizeof(Token);
    const std::size_t fixed = kKvFixedBytes + 2 * kIdBytes + 4 + 4 + 8 + 8;
    put(out, static_cast<std::uint32_t>(fixed + tokens_bytes + 2 * kDigestBytes));
    out += header.parent;
    out += header.id;
    put(out, static_cast<std::int32_t>(header.start));
    put(out, static_cast<std::uint32_t>(header.tokens.size()));
    put(out, header.seconds);
    put(out, static_cast<std::uint64_t>(state.size()));
    out.append(reinterpret_cast<const char*>(header.tokens.data()), tokens_bytes);
    out += sha256_hex(state);
    out += sha256_hex(out);
    return out;
}

std::optional<std::size_t> kv_header_size(std::string_view fixed) {
    Reader reader{fixed};
    if (reader.take(kMagic.size()) != kMagic) return {};
    const std::size_t size = reader.number<std::uint32_t>();
    if (!reader.ok || size < kKvFixedBytes + kDigestBytes || size > kKvHeaderBytesMax) return {};
    return size;
}

std::optional<KvHeader> read_kv_header(std::string_view bytes) {
    if (kv_header_size(bytes) != bytes.size()) return {};
    const std::string_view covered = bytes.substr(0, bytes.size() - kDigestBytes);
    if (sha256_hex(covered) != bytes.substr(covered.size())) return {};
    Reader reader{covered.substr(kKvFixedBytes)};
    KvHeader out;
    out.parent = reader.take(kIdBytes);
    out.id = reader.take(kIdBytes);
    out.start = reader.number<std::int32_t>();
    const std::size_t count = reader.number<std::uint32_t>();
    out.seconds = reader.number<double>();
    out.state_bytes = reader.number<std::uint64_t>();
    const std::string_view tokens = reader.take(count * sizeof(Token));
    out.state_sha256 = reader.take(kDigestBytes);
    if (!reader.ok || !reader.rest.empty() || count == 0 || out.start < 0) return {};
    out.tokens.resize(count);
    std::memcpy(out.tokens.data(), tokens.data(), tokens.size());
    if (PrefixTree::block_id(out.parent, out.tokens) != out.id) return {};
    return out;
}

bool state_is_whole(const KvHeader& header, std::string_view state) {
    return state.size() == header.state_bytes && sha256_hex(state) == header.state_sha256;
}

}  // namespace jikji::engine
