// Run with JIKJI_CPU unset and with each of its words: CMakeLists.txt makes an entry for each.
#include "base/cpu.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>

namespace jikji::cpu {

TEST_SUITE_BEGIN("cpu");

TEST_CASE("what is used ends at the level that JIKJI_CPU names") {
    const char* text = std::getenv("JIKJI_CPU");
    const std::string said = text == nullptr ? "" : text;
    CAPTURE(said);
    CHECK((level() == Level::kAll) == said.empty());
    if (said == "portable") CHECK(!has_avx2());
    if (said == "portable" || said == "avx2") CHECK(!has_avx512());
    if (!said.empty() && said != "avx512_bf16") CHECK(!has_avx512_bf16());
    if (!said.empty() && said != "avx512_bf16") CHECK(!has_avx512_vnni());
    if (!said.empty()) CHECK(!has_amx_bf16());
}

TEST_CASE("each level has what stands below it") {
    if (has_amx_bf16()) CHECK(has_avx512_bf16());
    if (has_avx512_bf16() || has_avx512_vnni()) CHECK(has_avx512());
    if (has_avx512()) CHECK(has_avx2());
#if defined(__x86_64__)
    if (level() >= Level::kAvx512) {
        CHECK(has_avx512() ==
              (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && has_avx2()));
    }
#endif
}

TEST_SUITE_END();

}  // namespace jikji::cpu
