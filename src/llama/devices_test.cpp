#include "llama/devices.hpp"

#include <doctest/doctest.h>

namespace jikji::llama {

TEST_SUITE_BEGIN("devices");

TEST_CASE("as many layers as fit, room left for keys and values") {
    constexpr std::uint64_t kGb = 1ull << 30;
    CHECK(layers_that_fit(4 * kGb, 33, 24 * kGb) == 33);
    CHECK(layers_that_fit(4 * kGb, 33, 0) == 0);
    CHECK(layers_that_fit(4 * kGb, 33, kGb / 2) == 0);
    const int half = layers_that_fit(4 * kGb, 32, 2 * kGb + (600ull << 20));
    CHECK(half == 16);
    CHECK(layers_that_fit(0, 33, kGb) == 33);
    CHECK(layers_that_fit(4 * kGb, 0, 24 * kGb) == 0);
}

TEST_CASE("every GPU has a name; a file that is not there fits nowhere") {
    for (const Device& device : devices()) CHECK_FALSE(device.name.empty());
    CHECK(fitting_layers("/nonexistent/model.gguf") == 0);
}

TEST_SUITE_END();

}  // namespace jikji::llama
