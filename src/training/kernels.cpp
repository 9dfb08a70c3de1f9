#include "training/kernels.hpp"

#include "base/cpu.hpp"

namespace jikji::training {

const Kernels& kernels() {
#if defined(__x86_64__)
    if (cpu::has_avx512()) return kAvx512Kernels;
    if (cpu::has_avx2()) return kAvx2Kernels;
#endif
    return kPortableKernels;
}

}  // namespace jikji::training
