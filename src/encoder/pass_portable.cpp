// The steps of pass.hpp for any CPU that GCC's vectors are for (on x86-64: SSE2, sixteen
// registers).
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "encoder/dequantise.hpp"
#include "encoder/pass.hpp"

namespace jikji::encoder {
namespace {
constexpr int kLanes = 4;
constexpr int kTileRows = 6;
constexpr const char* kName = "portable";
}  // namespace
}  // namespace jikji::encoder

#include "encoder/pass_float.hpp"
#include "encoder/pass_steps.hpp"

namespace jikji::encoder {
const Steps kPortableSteps = kSteps;
}  // namespace jikji::encoder
