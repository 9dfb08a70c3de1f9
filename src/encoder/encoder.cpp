#include "encoder/encoder.hpp"

namespace jikji::encoder {

bool Encoder::supports(const std::filesystem::path&) { return false; }

}  // namespace jikji::encoder
