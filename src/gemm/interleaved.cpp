#include "gemm/interleaved.hpp"

#include <algorithm>
#include <cmath>

#include "gemm/interleaved_layout.hpp"

namespace jikji::gemm {
namespace {

constexpr int kChunk = 4;  // bytes of a row that lie together: one 32-bit lane

template <typename Work>
auto with_layout(BlockType type, Work work) {
    if (type == BlockType::kQ4_0) return work.template operator()<BlockType::kQ4_0>();
    if (type == BlockType::kQ4_1) return work.template operator()<BlockType::kQ4_1>();
    return work.template operator()<BlockType::kQ8_0>();
}

float from_half(const std::uint8_t* at) {
    std::uint16_t half = 0;
    std::memcpy(&half, at, sizeof half);
    const int exponent = (half >> 10) & 31;
    const int fraction = half & 1023;
    float value = 0;
    if (exponent == 31) {
        value = fraction != 0 ? NAN : INFINITY;
    } else if (exponent == 0) {
        value = std::ldexp(static_cast<float>(fraction), -24);
    } else {
        value = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
    }
    return (half & 0x8000) != 0 ? -value : value;
}

/// Calls copy(offset in the row's block, offset in the packed block, bytes, turned) for each piece
/// of row `lane` (0..15).
template <BlockType type, typename Copy>
void for_each_piece(int lane, Copy copy) {
    using P = Packed<type>;
    int from = 0;
    copy(from, 2 * lane, 2, false);
    from += 2;
    if (Layout<type>::kMinima) {
        copy(from, P::kMinima + 2 * lane, 2, false);
        from += 2;
    }
    for (int chunk = 0; chunk < Layout<type>::kQuants / kChunk; ++chunk) {
        copy(from, P::kQuants + kChunk * (chunk * kInterleavedRows + lane), kChunk,
             !Layout<type>::kNibbles);
        from += kChunk;
    }
}

void copy_bytes(const std::uint8_t* from, std::uint8_t* to, int bytes, bool turned) {
    for (int i = 0; i < bytes; ++i) {
        to[i] = turned ? static_cast<std::uint8_t>(from[i] ^ 0x80) : from[i];
    }
}

template <BlockType type>
constexpr int kRowBlock = Packed<type>::kBytes / kInterleavedRows;  // bytes of a block in ggml's

template <BlockType type>
int value_at(const std::uint8_t* block, int lane, int column) {
    const int byte = Layout<type>::kNibbles ? column % 16 : column;
    const std::uint8_t raw =
        block[Packed<type>::kQuants + kChunk * ((byte / kChunk) * kInterleavedRows + lane) +
              byte % kChunk];
    if (!Layout<type>::kNibbles) return raw - Layout<type>::kZero;
    return (column < 16 ? raw & 15 : raw >> 4) - Layout<type>::kZero;
}

template <BlockType type>
float dot_plainly(const std::uint8_t* group, std::int64_t blocks, int lane,
                  const RoundedBlock* rounded) {
    float sum = 0;
    for (std::int64_t b = 0; b < blocks; ++b) {
        const std::uint8_t* block = group + b * Packed<type>::kBytes;
        int product = 0;
        for (int c = 0; c < kBlockColumns; ++c) {
            product += value_at<type>(block, lane, c) * rounded[b].values[c];
        }
        sum += from_half(block + 2 * lane) * rounded[b].scale * static_cast<float>(product);
        if (!Layout<type>::kMinima) continue;
        sum += from_half(block + Packed<type>::kMinima + 2 * lane) * rounded[b].scale *
               static_cast<float>(rounded[b].sum);
    }
    return sum;
}

GroupKernel best_kernel(BlockType type, int m) {
    const GroupKernel wide = avx512_kernel(type, m);
    return wide != nullptr ? wide : avx2_kernel(type, m);
}

}  // namespace

bool interleaving_pays(BlockType type) { return best_kernel(type, 1) != nullptr; }

std::size_t block_bytes(BlockType type, std::int64_t n, std::int64_t k) {
    return with_layout(type, [&]<BlockType t>() {
        return static_cast<std::size_t>(n * (k / kBlockColumns) * kRowBlock<t>);
    });
}

void interleave(BlockType type, const void* blocks, std::int64_t n, std::int64_t k, void* packed) {
    const auto* from = static_cast<const std::uint8_t*>(blocks);
    auto* to = static_cast<std::uint8_t*>(packed);
    with_layout(type, [&]<BlockType t>() {
        const std::int64_t count = k / kBlockColumns;
        for (std::int64_t row = 0; row < n; ++row) {
            std::uint8_t* group = to + row / kInterleavedRows * count * Packed<t>::kBytes;
            const auto lane = static_cast<int>(row % kInterleavedRows);
            for (std::int64_t b = 0; b < count; ++b, from += kRowBlock<t>) {
                std::uint8_t* block = group + b * Packed<t>::kBytes;
                for_each_piece<t>(lane, [&](int source, int target, int bytes, bool turned) {
                    copy_bytes(from + source, block + target, bytes, turned);
                });
            }
        }
    });
}

std::size_t rounded_bytes(std::int64_t k) {
    return static_cast<std::size_t>(k / kBlockColumns) * sizeof(RoundedBlock);
}

void round_row(const float* x, std::int64_t k, void* rounded) {
    auto* out = static_cast<RoundedBlock*>(rounded);
    if (round_row_avx2(x, k, out)) return;
    for (std::int64_t b = 0; b < k / kBlockColumns; ++b, x += kBlockColumns, ++out) {
        float largest = 0;
        for (int i = 0; i < kBlockColumns; ++i) largest = std::max(largest, std::fabs(x[i]));
        out->scale = largest / 127.0F;
        const float inverse = largest > 0 ? 127.0F / largest : 0;
        out->sum = 0;
        for (int i = 0; i < kBlockColumns; ++i) {
            out->values[i] = static_cast<std::int8_t>(std::lrint(x[i] * inverse));
            out->sum += out->values[i];
        }
    }
}

void multiply(const InterleavedProduct& p, std::int64_t begin, std::int64_t end) {
    const std::int64_t blocks = p.k / kBlockColumns;
    const auto group_bytes = static_cast<std::int64_t>(block_bytes(p.type, kInterleavedRows, p.k));
    const auto* packed = static_cast<const std::uint8_t*>(p.packed);
    const auto* rounded = static_cast<const RoundedBlock*>(p.rounded);
    if (best_kernel(p.type, 1) == nullptr) return multiply_plainly(p, begin, end);
    // A group stays in the first cache while all rows go by.
    for (std::int64_t group = begin; group < end; ++group) {
        for (int row = 0; row < p.m; row += kRowsMax) {
            const int rows = std::min(kRowsMax, p.m - row);
            best_kernel(p.type, rows)(packed + group * group_bytes, blocks, rounded + row * blocks,
                                      p.y + row * p.ldy + group * kInterleavedRows, p.ldy);
        }
    }
}

void multiply_plainly(const InterleavedProduct& p, std::int64_t begin, std::int64_t end) {
    const std::int64_t blocks = p.k / kBlockColumns;
    const auto* rounded = static_cast<const RoundedBlock*>(p.rounded);
    with_layout(p.type, [&]<BlockType t>() {
        for (std::int64_t group = begin; group < end; ++group) {
            const std::uint8_t* at =
                static_cast<const std::uint8_t*>(p.packed) + group * blocks * Packed<t>::kBytes;
            for (int row = 0; row < p.m; ++row) {
                float* y = p.y + row * p.ldy + group * kInterleavedRows;
                for (int lane = 0; lane < kInterleavedRows; ++lane) {
                    y[lane] = dot_plainly<t>(at, blocks, lane, rounded + row * blocks);
                }
            }
        }
    });
}

}  // namespace jikji::gemm
