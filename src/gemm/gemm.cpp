#include "gemm/gemm.hpp"

namespace jikji::gemm {

Precision best_precision() { return Precision::kF32; }

}  // namespace jikji::gemm
