#include "base/cpu.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#if defined(__x86_64__) && defined(__GNUC__)
#define JIKJI_X86 1
#include <cpuid.h>
#endif

namespace jikji::cpu {
namespace {

constexpr std::array<std::pair<std::string_view, Level>, 4> kNames{
    {{"portable", Level::kPortable},
     {"avx2", Level::kAvx2},
     {"avx512", Level::kAvx512},
     {"avx512_bf16", Level::kAvx512Bf16}}};

Level wished() {
    const char* text = std::getenv("JIKJI_CPU");
    if (text == nullptr || *text == '\0') return Level::kAll;
    for (const auto& [name, level] : kNames) {
        if (name == text) return level;
    }
    spdlog::warn("JIKJI_CPU={} is none of portable, avx2, avx512, avx512_bf16; it is ignored",
                 text);
    return Level::kAll;
}

struct Features {
    bool avx2 = false, avx512 = false, vnni = false, bf16 = false, amx = false;
};

#ifdef JIKJI_X86

/// Not by __builtin_cpu_supports(): clang 14 does not know that name.
bool cpuid_has_amx_bf16() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d >> 22 & 1) != 0;
}

Features of_this_cpu() {
    Features f;
    __builtin_cpu_init();
    f.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    f.avx512 = f.avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    f.vnni = f.avx512 && __builtin_cpu_supports("avx512vnni");
    f.bf16 = f.avx512 && __builtin_cpu_supports("avx512bf16");
    f.amx = f.bf16 && cpuid_has_amx_bf16();
    return f;
}

#else

Features of_this_cpu() { return {}; }

#endif

const Features& features() {
    static const Features used = [] {
        Features f = of_this_cpu();
        const Level most = level();
        f.avx2 = f.avx2 && most >= Level::kAvx2;
        f.avx512 = f.avx512 && most >= Level::kAvx512;
        f.vnni = f.vnni && most >= Level::kAvx512Bf16;
        f.bf16 = f.bf16 && most >= Level::kAvx512Bf16;
        f.amx = f.amx && most >= Level::kAll;
        return f;
    }();
    return used;
}

}  // namespace

Level level() noexcept {
    static const Level said = wished();
    return said;
}

bool has_avx2() noexcept { return features().avx2; }
bool has_avx512() noexcept { return features().avx512; }
bool has_avx512_vnni() noexcept { return features().vnni; }
bool has_avx512_bf16() noexcept { return features().bf16; }
bool has_amx_bf16() noexcept { return features().amx; }

}  // namespace jikji::cpu
