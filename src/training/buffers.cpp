#include "training/buffers.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace jikji::training {

namespace {
constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kLargePage = std::size_t{2} << 20;
}  // namespace

void Buffer::Free::operator()(void* memory) const noexcept { std::free(memory); }

void* Buffer::at_least(std::size_t bytes) {
    if (bytes <= bytes_) return memory_.get();
    memory_.reset();
    bytes_ = 0;
    const std::size_t unit = bytes < kLargePage ? kCacheLine : kLargePage;
    const std::size_t size = (bytes + unit - 1) / unit * unit;
    memory_.reset(std::aligned_alloc(unit, size));
    if (!memory_) throw std::bad_alloc();
#ifdef __linux__
    if (unit == kLargePage) madvise(memory_.get(), size, MADV_HUGEPAGE);
#endif
    bytes_ = size;
    return memory_.get();
}

void Factors::put(int row, int column, const float* values, int count) const {
    if (precision == gemm::Precision::kBf16) {
        gemm::to_bf16(values, static_cast<gemm::Bf16*>(at(row, column)),
                      static_cast<std::size_t>(count));
    } else {
        std::memcpy(at(row, column), values, static_cast<std::size_t>(count) * sizeof(float));
    }
}

}  // namespace jikji::training
