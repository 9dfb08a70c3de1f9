// What attention_steps.hpp asks for where a cell is a float32. Included as that one, before it.
namespace jikji::training {
namespace {

constexpr int kPair = 1;

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * 4)));

inline void put(Cell* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }

inline Vec multiply_add(Vec sum, const Cell* cell, Vec x) { return sum + *cell * x; }

inline void store_keys(Cell* to, std::ptrdiff_t row, Vec even, Vec odd) {
    put(to, even);
    put(to + row, odd);
}

inline void store_lanes(Cell* to, Vec left, Vec right) {
    put(to, left);
    put(to + kLanes, right);
}

}  // namespace
}  // namespace jikji::training
