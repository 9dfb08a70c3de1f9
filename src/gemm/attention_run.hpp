#pragma once
// Private to gemm: one call of Attention::run, cut into jobs for a team of threads.
//
// Each tile of up to 32 queries looks at its mask once, for all heads, and says of each block of 64
// keys how it is computed: not at all; as it lies, for all of the tile's queries
// (attention_tiles.cpp); or, where few queries see few of its keys, query by query, after the keys
// that the query does see have been gathered (attention_scattered.cpp). The latter is the decoding
// of many sequences in one cache, where each step deals a cell to every sequence; what they share,
// a system prompt, is a matter of tiles again. Both give a running softmax, and finish() adds the
// two up.
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
constexpr int kScatteredQueriesMax = 64;           // more are a prefill, where tiles fit
constexpr int kScatteredGroupMax = 16;             // heads that gathered keys are for: lanes
constexpr std::uint16_t kHiddenBits = 0xFC00;      // -inf as float16

enum class Tile : std::uint8_t { kHidden, kMixed, kOpen, kScattered };

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
    std::vector<Tile> kinds;       // [tiles][blocks]
    std::vector<int> seen;         // [queries][keys]: which keys to gather
    std::vector<int> seen_count;   // [queries]
    std::vector<float> scattered;  // [queries][heads][dim_v + 2]: o, top, sum
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
        rows = reinterpret_cast<std::byte*>(bias) + kBlock;
        const auto dims = static_cast<std::size_t>(task.k.dim + task.v.dim);
        panel = rows + kAttentionKeys * dims * sizeof(float);
        bytes = kHeadsPerJob * (q_bytes + o_bytes) + 3 * kBlock +
                kAttentionKeys * dims * (sizeof(float) + element);
    }
    std::byte* q;
    std::byte* o;  // per head: o, then top, then sum
    float* scores;
    float* weights;
    float* bias;
    std::byte* rows;   // of k, then of v: one block's, gathered
    std::byte* panel;  // of the same
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

    // Of kind kScattered, which occurs if scatters_:
    bool few_see_it(int tile, int block) const;
    void list_seen(int query) const;
    void work_scattered(int job, Scratch& s) const;
    void gather(int kv_head, const int* keys, int count, Scratch& s) const;
    float* scattered_of(int query, int head) const {
        return space_.scattered.data() +
               (static_cast<std::size_t>(query) * task_.q.heads + head) * (task_.v.dim + 2);
    }

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
    bool scatters_;
    std::size_t k_bytes_;  // of one block's panel
    std::size_t v_bytes_;
    std::byte* panels_;
};

inline int blocks_of(int rows, int block) { return (rows + block - 1) / block; }

}  // namespace jikji::gemm
