// The steps of attention_tiles.hpp for any CPU.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "training/attention_tiles.hpp"

namespace jikji::training {
namespace {
constexpr int kLanes = 4;
constexpr int kTileRows = 4;

void transpose(const Cell* from, int rows, int columns, Cell* to) {
    for (int column = 0; column < columns; ++column) {
        for (int row = 0; row < rows; ++row) to[column * rows + row] = from[row * columns + column];
    }
}
}  // namespace
}  // namespace jikji::training

#include "training/attention_float.hpp"
#include "training/attention_steps.hpp"

namespace jikji::training {
const AttentionSteps kPortableAttention{"portable", kPair, pack, forward, backward};
}  // namespace jikji::training
