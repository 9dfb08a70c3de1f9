#include "gemm/products.hpp"

#include <omp.h>

#include <algorithm>
#include <memory>
#include <new>

#include "base/error.hpp"
#include "gemm/products_kernels.hpp"
#include "gemm/products_ways.hpp"

namespace jikji::gemm {
namespace {

constexpr int kColumns = kLanes * kStripPanels;
constexpr int kBlockSteps = 512;  // of the depth at once: a strip of the right factor is 96 KB
constexpr std::size_t kLeftSteps = 1u << 20;  // of the left factor at once: 4 MB

struct Free {
    void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

/// Grows, and is kept from product to product: fresh pages would cost more than what they hold.
class Buffer {
public:
    Step* at_least(std::size_t steps) {
        if (steps > size_) {
            memory_.reset();
            memory_.reset(
                static_cast<Step*>(::operator new (steps * sizeof(Step), std::align_val_t{64})));
            size_ = steps;
        }
        return memory_.get();
    }

private:
    std::unique_ptr<Step, Free> memory_;
    std::size_t size_ = 0;
};

/// A factor as panels see it: `lanes` are rows of the left and columns of the right one.
struct Lanes {
    const char* data;
    std::size_t value_bytes;
    std::ptrdiff_t lane, depth_gap;
    int lanes, depth;

    PackPart part(int first, int count, int begin, int end) const {
        return {
            data + (first * lane + begin * depth_gap) * static_cast<std::ptrdiff_t>(value_bytes),
            lane, depth_gap, std::min(count, lanes - first), end - begin};
    }
};

Lanes lanes_of(const Factor& f, bool rows) {
    const bool along = rows != f.transposed;  // the depth lies side by side
    Lanes out{static_cast<const char*>(f.data),
              f.precision == Precision::kBf16 ? 2u : 4u,
              0,
              0,
              along ? f.rows : f.columns,
              along ? f.columns : f.rows};
    out.lane = along ? f.stride : 1;
    out.depth_gap = along ? 1 : f.stride;
    return out;
}

int divided(int a, int b) { return (a + b - 1) / b; }

/// One product. Of the depth, as much at once as lets the packed left factor stay in the caches;
/// each thread then takes a range of tiles, strip by strip, and packs what it needs of the right
/// factor. A sum is made by one thread, in the order of the depth.
struct Work {
    Lanes a, b;
    float* c;
    std::ptrdiff_t ldc;
    bool add;
    const ProductKernels& kernels;
    int values;      // of a step
    int block;       // depth of a block, in values
    int row_groups;  // of 16
    int strips;
    Step* left = nullptr;  // [block][row group][step][lane]

    int blocks() const { return divided(a.depth, block); }
    int end_of(int at) const { return std::min(at * block + block, a.depth); }
    int steps_of(int at) const { return divided(end_of(at) - at * block, values); }
    std::ptrdiff_t group_steps() const {
        return static_cast<std::ptrdiff_t>(block / values) * kLanes;
    }
    Step* left_at(int place, int group) const {
        return left + (static_cast<std::ptrdiff_t>(place) * row_groups + group) * group_steps();
    }

    void pack_left(int place, int at, int group) const {
        kernels.pack(a.part(group * kLanes, kLanes, at * block, end_of(at)), left_at(place, group));
    }

    /// Tiles begin..end-1 of a strip, for the blocks from..to-1.
    void strip(int number, int begin, int end, int from, int to, Step* right) const {
        const int first = number * kColumns;
        const int columns = std::min(kColumns, b.lanes - first);
        for (int at = from; at < to; ++at) {
            kernels.pack(b.part(first, kColumns, at * block, end_of(at)), right);
            for (int group = begin; group < end; ++group) {
                const int row = group * kLanes;
                kernels.multiply(left_at(at - from, group), right, steps_of(at),
                                 {c + row * ldc + first, ldc, std::min(kLanes, a.lanes - row),
                                  columns, add || at > 0});
            }
        }
    }

    void part(int thread, int threads, int from, int to, Step* right) const {
        const std::int64_t tiles = static_cast<std::int64_t>(strips) * row_groups;
        std::int64_t tile = tiles * thread / threads;
        const std::int64_t last = tiles * (thread + 1) / threads;
        while (tile < last) {
            const auto begin = static_cast<int>(tile % row_groups);
            const auto end =
                static_cast<int>(std::min<std::int64_t>(row_groups, begin + last - tile));
            strip(static_cast<int>(tile / row_groups), begin, end, from, to, right);
            tile += end - begin;
        }
    }
};

Step* left_buffer(std::size_t steps) {
    thread_local Buffer buffer;
    return buffer.at_least(steps);
}

Step* right_buffer() {
    thread_local Buffer buffer;
    return buffer.at_least(static_cast<std::size_t>(kBlockSteps) * kColumns);
}

void run(Work& work, int threads) {
    const auto block_size = static_cast<std::size_t>(work.group_steps() * work.row_groups);
    const int most = std::max<int>(1, static_cast<int>(kLeftSteps / block_size));
    const int blocks = work.blocks();
    work.left = left_buffer(block_size * static_cast<std::size_t>(std::min(most, blocks)));
#pragma omp parallel num_threads(threads)
    for (int from = 0; from < blocks; from += most) {
        const int to = std::min(from + most, blocks);
        const int count = (to - from) * work.row_groups;
#pragma omp for schedule(static)
        for (int i = 0; i < count; ++i) {
            const int place = i / work.row_groups;
            work.pack_left(place, from + place, i % work.row_groups);
        }
        work.part(omp_get_thread_num(), omp_get_num_threads(), from, to, right_buffer());
#pragma omp barrier
    }
}

/// Blocks of equal depth, so that the last one is not a sliver.
int block_of_depth(int depth, int values) {
    const int steps = divided(depth, values);
    const int blocks = divided(steps, kBlockSteps);
    return divided(divided(steps, blocks), 16) * 16 * values;
}

}  // namespace

void product_by_kernels(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads,
                        bool portable) {
    const Lanes left = lanes_of(a, true);
    const Lanes right = lanes_of(b, false);
    const int values = a.precision == Precision::kBf16 ? 2 : 1;
    Work work{left,
              right,
              c,
              ldc,
              add,
              product_kernels(a.precision, portable),
              values,
              block_of_depth(left.depth, values),
              divided(left.lanes, kLanes),
              divided(right.lanes, kColumns)};
    const double operations = 2.0 * left.lanes * right.lanes * left.depth;
    run(work, operations < 1e5 ? 1 : std::min(threads, omp_get_thread_limit()));
}

void product(const Factor& a, const Factor& b, float* c, int ldc, bool add, int threads) {
    const int m = a.transposed ? a.columns : a.rows;
    const int n = b.transposed ? b.rows : b.columns;
    const int k = a.transposed ? a.rows : a.columns;
    JIKJI_CHECK(a.precision == b.precision && k == (b.transposed ? b.columns : b.rows));
    JIKJI_CHECK(m > 0 && n > 0 && k > 0 && ldc >= n && threads > 0);
    JIKJI_CHECK(a.stride >= a.columns && b.stride >= b.columns);
    JIKJI_CHECK(a.precision == Precision::kF32 || a.precision == Precision::kBf16);
    constexpr int kNarrow = 64;
    const bool narrow = m < kNarrow || n < kNarrow || k < kNarrow;
    if (narrow || product_kernels_are_best(a.precision))
        return product_by_kernels(a, b, c, ldc, add, threads, false);
    product_by_onednn(a, b, c, ldc, add, threads);
}

}  // namespace jikji::gemm
