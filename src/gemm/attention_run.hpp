#pragma once
// Private to gemm: one call of Attention::run, cut into jobs for a team of threads.
//
// Many queries (AttentionRun, attention_tiles.cpp): each tile of 32 looks at its mask once, for all
// heads, and says of each block of 64 keys whether to compute it, and whether with the mask.
//
// Few queries, a step of decoding (attend_few, attention_few.cpp): each lists the keys that it sees
// once for all heads, and walks these alone. It computes in float32 and in an order that its own
// keys decide, so that a sequence gets the same bits however many others are in the step.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "gemm/attention.hpp"
#include "gemm/attention_kernels.hpp"

namespace jikji::gemm {

constexpr int kHeadsPerJob = 8;                    // whose states stay in the second-level cache
constexpr std::size_t kPanelBytesMax = 16u << 20;  // of k and v in panels at the same time
constexpr int kFewQueriesMax = 31;                 // a tile has 32
constexpr std::uint16_t kHiddenBits = 0xFC00;      // -inf as float16

enum class Tile : std::uint8_t { kHidden, kMixed, kOpen };

/// Bytes that start at a cache line and grow, without keeping their contents.
class Lines {
public:
    ~Lines() { release(); }
    Lines() = default;
    Lines(const Lines&) = delete;
    Lines& operator=(const Lines&) = delete;

    std::byte* at_least(std::size_t bytes) {
        if (bytes > size_) {
            release();
            data_ = static_cast<std::byte*>(::operator new(bytes, kLine));
            size_ = bytes;
        }
        return data_;
    }

private:
    static constexpr std::align_val_t kLine{64};
    void release() {
        if (data_) ::operator delete(data_, kLine);
        data_ = nullptr;
        size_ = 0;
    }
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// What is kept from call to call, so that its pages are not asked for each time.
struct AttentionSpace {
    Lines panels;
    Lines scratch;
    std::vector<Tile> kinds;      // [tiles][blocks]
    std::vector<int> seen;        // few queries: [queries][keys], which they see
    std::vector<int> seen_count;  // [queries]
    std::vector<char> biased;     // [queries]: whether a key that it sees has a bias
    std::vector<float> slopes;    // [heads]
    std::vector<float> parts;     // [queries][heads][parts][dim_v + 2]: o, top, sum
};

inline std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

// What one thread works in, for up to kHeadsPerJob heads.
struct Scratch {
    Scratch(std::byte* memory, const AttentionTask& task, std::size_t element) {
        constexpr std::size_t kBlock =
            std::size_t{kAttentionKeys} * kAttentionLanes * sizeof(float);
        q_bytes = lines(static_cast<std::size_t>(task.k.dim) * kAttentionLanes * element);
        o_bytes = lines(static_cast<std::size_t>(task.v.dim + 2) * kAttentionLanes * sizeof(float));
        q = memory;
        o = q + kHeadsPerJob * q_bytes;
        scores = reinterpret_cast<float*>(o + kHeadsPerJob * o_bytes);
        weights = scores + kBlock / sizeof(float);
        bias = weights + kBlock / sizeof(float);
        bytes = kHeadsPerJob * (q_bytes + o_bytes) + 3 * kBlock;
    }
    std::byte* q;
    std::byte* o;  // per head: o, then top, then sum
    float* scores;
    float* weights;
    float* bias;
    std::size_t q_bytes;
    std::size_t o_bytes;
    std::size_t bytes;
};

// One call of run(): the task, cut into jobs.
class AttentionRun {
public:
    AttentionRun(const AttentionTask& task, const AttentionKernels& kernels, int threads,
                 AttentionSpace& space);

    void operator()();

private:
    void look_at_mask(int tile) const;
    bool wanted(int block) const;
    void pack(int head, int slot, int block) const;
    void work(int job, int first_head, Scratch& s) const;
    void attend_blocks(int tile, int head, int heads, int slot, Scratch& s) const;
    void finish(int head, int tile, const Scratch& s, int slot) const;

    std::size_t scratch_bytes() const {
        return lines(Scratch(nullptr, task_, kernels_.element_bytes).bytes);
    }
    Tile& kind(int tile, int block) const {
        return space_.kinds[static_cast<std::size_t>(tile) * blocks_ + block];
    }
    int lanes_of(int tile) const { return rows_of(tile) > 16 ? 32 : 16; }
    int rows_of(int tile) const {
        return std::min(kAttentionLanes, task_.q.rows - tile * kAttentionLanes);
    }
    int keys_of(int block) const {
        return std::min(kAttentionKeys, task_.k.rows - block * kAttentionKeys);
    }
    const std::uint16_t* mask_of(int tile, int block) const {
        return task_.mask + static_cast<std::size_t>(tile) * kAttentionLanes * task_.mask_row +
               static_cast<std::size_t>(block) * kAttentionKeys;
    }
    std::byte* k_panel(int slot, int block) const {
        return panels_ + (static_cast<std::size_t>(slot) * blocks_ + block) * (k_bytes_ + v_bytes_);
    }
    AttentionState state_of(const Scratch& s, int slot, int lanes) const {
        auto* o = reinterpret_cast<float*>(s.o + static_cast<std::size_t>(slot) * s.o_bytes);
        float* top = o + static_cast<std::ptrdiff_t>(task_.v.dim) * lanes;
        return {o, top, top + lanes};
    }

    const AttentionTask& task_;
    const AttentionKernels& kernels_;
    AttentionSpace& space_;
    int threads_;
    int group_;
    int tiles_;
    int blocks_;
    int job_heads_;
    int heads_at_once_;
    std::size_t k_bytes_;  // of one block's panel
    std::size_t v_bytes_;
    std::byte* panels_;
};

/// Requires: at most kFewQueriesMax queries; their keys are then walked one by one.
void attend_few(const AttentionTask& task, const AttentionKernels& kernels, int threads,
                AttentionSpace& space);

inline int blocks_of(int rows, int block) { return (rows + block - 1) / block; }

}  // namespace jikji::gemm
