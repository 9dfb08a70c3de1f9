// What pass_steps.hpp needs where activations and weights are float32; the includer gives kLanes
// and kTileRows.
namespace jikji::encoder {
namespace {

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
using Half = float;
constexpr bool kBf16 = false;
constexpr int kUnit = 1;

inline Vec panel_at(const float* from) {
    Vec out;
    __builtin_memcpy(&out, from, sizeof out);
    return out;
}
inline float unit_at(const float* from) { return *from; }
inline Vec multiply_add(Vec total, float unit, Vec panel) { return total + unit * panel; }
inline void store_pair(float* to, Vec left, Vec right) {
    __builtin_memcpy(to, &left, sizeof left);
    __builtin_memcpy(to + kLanes, &right, sizeof right);
}

}  // namespace
}  // namespace jikji::encoder
