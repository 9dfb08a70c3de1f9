#include "encoder/dequantise.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/error.hpp"

namespace jikji::encoder {
namespace {

using Byte = std::uint8_t;
using Blocks = void (*)(const Byte* from, std::size_t blocks, float* to);

std::uint16_t half_at(const Byte* from) {
    return static_cast<std::uint16_t>(from[0] | from[1] << 8);
}

float from_half(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16;
    const std::uint32_t rest = half & 0x7fffU;
    if (rest >= 0x7c00U) return std::bit_cast<float>(sign | 0x7f800000U | (rest & 0x3ffU) << 13);
    // Shifted into place the exponent is too small by 112; a multiplication corrects it, and also
    // normalises what is subnormal as a half.
    const float scaled = std::bit_cast<float>(rest << 13) * 0x1p112F;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | sign);
}

float scale_at(const Byte* from) { return from_half(half_at(from)); }
int signed_at(const Byte* from) { return static_cast<std::int8_t>(*from); }

void read_f32(const Byte* from, std::size_t count, float* to) {
    std::memcpy(to, from, count * sizeof(float));
}

void read_f16(const Byte* from, std::size_t count, float* to) {
    for (std::size_t i = 0; i < count; ++i) to[i] = from_half(half_at(from + 2 * i));
}

void read_bf16(const Byte* from, std::size_t count, float* to) {
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = std::bit_cast<float>(static_cast<std::uint32_t>(half_at(from + 2 * i)) << 16);
    }
}

// Blocks of 32: a scale, perhaps a minimum, perhaps fifth bits, then the values; of two values that
// share a byte the low half is value i, the high half value i + 16.

void read_q4_0(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 18, to += 32) {
        const float d = scale_at(from);
        for (int i = 0; i < 16; ++i) {
            to[i] = d * static_cast<float>((from[2 + i] & 15) - 8);
            to[i + 16] = d * static_cast<float>((from[2 + i] >> 4) - 8);
        }
    }
}

void read_q4_1(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 20, to += 32) {
        const float d = scale_at(from);
        const float low = scale_at(from + 2);
        for (int i = 0; i < 16; ++i) {
            to[i] = d * static_cast<float>(from[4 + i] & 15) + low;
            to[i + 16] = d * static_cast<float>(from[4 + i] >> 4) + low;
        }
    }
}

/// Value i (0..31) of 16 bytes of halves and 4 bytes of fifth bits.
int five_bits(const Byte* fifth, const Byte* halves, int i) {
    const int half = i < 16 ? halves[i] & 15 : halves[i - 16] >> 4;
    return half | (fifth[i / 8] >> (i % 8) & 1) << 4;
}

void read_q5_0(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 22, to += 32) {
        const float d = scale_at(from);
        for (int i = 0; i < 32; ++i) {
            to[i] = d * static_cast<float>(five_bits(from + 2, from + 6, i) - 16);
        }
    }
}

void read_q5_1(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 24, to += 32) {
        const float d = scale_at(from);
        const float low = scale_at(from + 2);
        for (int i = 0; i < 32; ++i) {
            to[i] = d * static_cast<float>(five_bits(from + 4, from + 8, i)) + low;
        }
    }
}

void read_q8_0(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 34, to += 32) {
        const float d = scale_at(from);
        for (int i = 0; i < 32; ++i) to[i] = d * static_cast<float>(signed_at(from + 2 + i));
    }
}

// Blocks of 256 with scales of their own for each 16 or 32 values.

void read_q2_k(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 84, to += 256) {
        const float d = scale_at(from + 80);
        const float low = scale_at(from + 82);
        for (int i = 0; i < 256; ++i) {
            const int scale = from[i / 16];
            const int value = from[16 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
            to[i] =
                d * static_cast<float>((scale & 15) * value) - low * static_cast<float>(scale >> 4);
        }
    }
}

/// Six bits, four of them in the first eight bytes and two in the last four.
int q3_scale(const Byte* scales, int group) {
    const int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
    return (low | (scales[8 + group % 4] >> (group / 4 * 2) & 3) << 4) - 32;
}

void read_q3_k(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 110, to += 256) {
        const float d = scale_at(from + 108);
        for (int i = 0; i < 256; ++i) {
            const int low = from[32 + i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
            const int value = (from[i % 32] >> (i / 32) & 1) != 0 ? low : low - 4;
            to[i] = d * static_cast<float>(q3_scale(from + 96, i / 16) * value);
        }
    }
}

struct ScaleAndMin {
    float scale;
    float min;
};

/// Eight pairs of six bits in twelve bytes: the first four as they are, the rest in pieces.
ScaleAndMin k_scale(const Byte* packed, int group) {
    if (group < 4) {
        return {static_cast<float>(packed[group] & 63), static_cast<float>(packed[group + 4] & 63)};
    }
    const int scale = (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
    const int min = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
    return {static_cast<float>(scale), static_cast<float>(min)};
}

void read_q4_k(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 144, to += 256) {
        const float d = scale_at(from);
        const float low = scale_at(from + 2);
        for (int i = 0; i < 256; ++i) {
            const ScaleAndMin group = k_scale(from + 4, i / 32);
            const int value = from[16 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
            to[i] = d * group.scale * static_cast<float>(value) - low * group.min;
        }
    }
}

void read_q5_k(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 176, to += 256) {
        const float d = scale_at(from);
        const float low = scale_at(from + 2);
        for (int i = 0; i < 256; ++i) {
            const ScaleAndMin group = k_scale(from + 4, i / 32);
            const int half = from[48 + i / 64 * 32 + i % 32] >> (i % 64 / 32 * 4) & 15;
            const int value = half | (from[16 + i % 32] >> (i / 32) & 1) << 4;
            to[i] = d * group.scale * static_cast<float>(value) - low * group.min;
        }
    }
}

void read_q6_k(const Byte* from, std::size_t blocks, float* to) {
    for (; blocks > 0; --blocks, from += 210, to += 256) {
        const float d = scale_at(from + 208);
        for (int i = 0; i < 256; ++i) {
            const int at = i % 128;
            const int half = from[i / 128 * 64 + at % 64] >> (at / 64 * 4) & 15;
            const int top = from[128 + i / 128 * 32 + at % 32] >> (at / 32 * 2) & 3;
            const int scale = signed_at(from + 192 + i / 16);
            to[i] = d * static_cast<float>(scale * ((half | top << 4) - 32));
        }
    }
}

struct Kind {
    std::uint32_t type;  // ggml's number
    std::size_t values;  // of a block
    Blocks read;
};

constexpr std::array<Kind, 13> kKinds{{{0, 1, read_f32},
                                       {1, 1, read_f16},
                                       {2, 32, read_q4_0},
                                       {3, 32, read_q4_1},
                                       {6, 32, read_q5_0},
                                       {7, 32, read_q5_1},
                                       {8, 32, read_q8_0},
                                       {10, 256, read_q2_k},
                                       {11, 256, read_q3_k},
                                       {12, 256, read_q4_k},
                                       {13, 256, read_q5_k},
                                       {14, 256, read_q6_k},
                                       {30, 1, read_bf16}}};

const Kind* kind_of(std::uint32_t type) {
    const auto* found = std::find_if(kKinds.begin(), kKinds.end(),
                                     [type](const Kind& kind) { return kind.type == type; });
    return found == kKinds.end() ? nullptr : found;
}

}  // namespace

bool can_dequantise(std::uint32_t type) { return kind_of(type) != nullptr; }

void dequantise(std::uint32_t type, std::string_view blocks, std::span<float> values) {
    const Kind* kind = kind_of(type);
    JIKJI_CHECK(kind != nullptr && values.size() % kind->values == 0);
    kind->read(reinterpret_cast<const Byte*>(blocks.data()), values.size() / kind->values,
               values.data());
}

}  // namespace jikji::encoder
