#include "llama/devices.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace jikji::llama {
namespace {

constexpr std::uint64_t kGb = 1ull << 30, kDriver = 256ull << 20;

struct FitCase {
    std::string name;
    GpuNeed need;
    std::uint64_t free;
    int want;
};

const FitCase kFits[] = {
    {"all", {.weights = 4 * kGb, .layers = 33}, 24 * kGb, 33},
    {"no GPU", {.weights = 4 * kGb, .layers = 33}, 0, 0},
    {"less than the driver takes", {.weights = 4 * kGb, .layers = 33}, kDriver, 0},
    {"half", {.weights = 4 * kGb, .layers = 32}, 2 * kGb + kDriver, 16},
    {"cells weigh as weights do", {4 * kGb, 32, 4 * kGb, 0}, 2 * kGb + kDriver, 8},
    {"a step's results are needed once", {4 * kGb, 32, 0, kGb}, 2 * kGb + kDriver, 8},
    {"nothing but a step's results", {4 * kGb, 32, 0, kGb}, kGb + kDriver, 0},
    {"all but one byte", {4 * kGb, 32, 4 * kGb, kGb}, 9 * kGb + kDriver - 1, 31},
    {"to the byte", {4 * kGb, 32, 4 * kGb, kGb}, 9 * kGb + kDriver, 32},
    {"an empty file", {.weights = 0, .layers = 33}, kGb, 33},
    {"no layers", {.weights = 4 * kGb, .layers = 0}, 24 * kGb, 0},
};

}  // namespace

TEST_SUITE_BEGIN("devices");

TEST_CASE("as many layers as fit, with their keys and values and room for a step") {
    for (const FitCase& c : kFits) {
        CAPTURE(c.name);
        CHECK(layers_that_fit(c.need, c.free) == c.want);
    }
}

TEST_CASE("what does not fit is tried with fewer layers, at last with none") {
    std::vector<int> tried;
    const auto fits_at = [&](int most) {
        tried.clear();
        return with_fewer_layers(20, [&](int layers) {
            tried.push_back(layers);
            if (layers > most) throw Error(ErrorCode::kRejected, "no memory");
        });
    };
    CHECK(fits_at(33) == 20);
    CHECK(tried == std::vector<int>{20});
    CHECK(fits_at(6) == 5);
    CHECK(tried == std::vector<int>{20, 10, 5});
    CHECK(fits_at(0) == 0);
    CHECK(tried == std::vector<int>{20, 10, 5, 2, 1, 0});
    CHECK_THROWS_AS(fits_at(-1), Error);  // not even on the CPU
    CHECK(tried.back() == 0);
    const auto wrong = [](int) { throw Error(ErrorCode::kInvalidArgument, "another matter"); };
    CHECK_THROWS_AS(with_fewer_layers(4, wrong), Error);
}

TEST_CASE("every GPU has a name; a file that is not there fits nowhere") {
    for (const Device& device : devices()) CHECK_FALSE(device.name.empty());
    CHECK(fitting_layers("/nonexistent/model.gguf", {}) == 0);
    CHECK(layers_of("/nonexistent/model.gguf") == 0);
}

TEST_SUITE_END();

}  // namespace jikji::llama
