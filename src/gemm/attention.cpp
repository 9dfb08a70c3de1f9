#include "gemm/attention.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#include "base/error.hpp"
#include "gemm/attention_kernels.hpp"

namespace jikji::gemm {
namespace {

constexpr int kHeadsPerJob = 8;                    // whose states stay in the second-level cache
constexpr std::size_t kPanelBytesMax = 16u << 20;  // of k and v in panels at the same time

enum class Tile : std::uint8_t { kHidden, kMixed, kOpen };

int blocks_of(int rows, int block) { return (rows + block - 1) / block; }

const AttentionKernels& kernels_of(AttentionKernel kernel) {
    switch (kernel) {
        case AttentionKernel::kAvx512Bf16: return avx512_attention();
        case AttentionKernel::kAvx2: return avx2_attention();
        case AttentionKernel::kPortable: break;
    }
    return portable_attention();
}

// ALiBi's slope of a head: a geometric series over the heads, as llama.cpp and the paper have it.
float slope_of(float max_bias, int head, int heads) {
    if (!(max_bias > 0)) return 1.0f;
    const int power = 1 << static_cast<int>(std::floor(std::log2(heads)));
    const bool first = head < power;
    const float base = std::exp2(-(first ? max_bias : max_bias / 2) / static_cast<float>(power));
    return std::pow(base, static_cast<float>(first ? head + 1 : 2 * (head - power) + 1));
}

// What a mask's rows say about one block of keys: loops over bits, which compilers make vectors of.
Tile tile_of(const std::uint16_t* mask, std::size_t mask_row, int rows, int keys) {
    unsigned shown = 0;
    unsigned changed = 0;
    for (int row = 0; row < rows; ++row, mask += mask_row) {
        std::uint16_t row_shown = 0;
        std::uint16_t row_changed = 0;
        for (int key = 0; key < keys; ++key) {
            row_shown = static_cast<std::uint16_t>(row_shown | (mask[key] ^ 0xFC00u));
            row_changed = static_cast<std::uint16_t>(row_changed | (mask[key] << 1));
        }
        shown |= row_shown;
        changed |= row_changed;
    }
    if (shown == 0) return Tile::kHidden;
    return changed == 0 && keys == kAttentionKeys ? Tile::kOpen : Tile::kMixed;
}

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

std::size_t lines(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

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
class Run {
public:
    Run(const AttentionTask& task, const AttentionKernels& kernels, int threads)
        : task_(task),
          kernels_(kernels),
          threads_(threads),
          group_(task.q.heads / task.k.heads),
          tiles_(blocks_of(task.q.rows, kAttentionLanes)),
          blocks_(blocks_of(task.k.rows, kAttentionKeys)) {
        const bool few = tiles_ * task.k.heads < 4 * threads;
        job_heads_ = few ? 1 : std::min(group_, kHeadsPerJob);
        k_bytes_ = kernels.element_bytes * kAttentionKeys * static_cast<std::size_t>(task.k.dim);
        v_bytes_ = kernels.element_bytes * kAttentionKeys * static_cast<std::size_t>(task.v.dim);
        const std::size_t head = (k_bytes_ + v_bytes_) * static_cast<std::size_t>(blocks_);
        heads_at_once_ = static_cast<int>(std::clamp<std::size_t>(
            kPanelBytesMax / head, 1, static_cast<std::size_t>(task.k.heads)));
        panel_bytes_ = head * static_cast<std::size_t>(heads_at_once_);
    }

    std::size_t panel_bytes() const { return panel_bytes_; }
    std::size_t scratch_bytes() const {
        return lines(Scratch(nullptr, task_, kernels_.element_bytes).bytes);
    }
    std::size_t tile_count() const { return static_cast<std::size_t>(tiles_) * blocks_; }

    void operator()(std::byte* panels, std::byte* scratch, Tile* kinds);

private:
    void look_at_mask(int tile);
    bool wanted(int block) const;
    void pack(int head, int slot, int block);
    void work(int job, int first_head, Scratch& s) const;
    void finish(int head, int tile, const Scratch& s, int slot) const;
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
    int threads_;
    int group_;
    int tiles_;
    int blocks_;
    int job_heads_;
    int heads_at_once_;
    std::size_t k_bytes_;
    std::size_t v_bytes_;
    std::size_t panel_bytes_;
    std::byte* panels_ = nullptr;
    Tile* kinds_ = nullptr;  // [tiles][blocks]
};

void Run::look_at_mask(int tile) {
    for (int block = 0; block < blocks_; ++block) {
        const int keys = keys_of(block);
        Tile kind = keys == kAttentionKeys ? Tile::kOpen : Tile::kMixed;
        if (task_.mask) kind = tile_of(mask_of(tile, block), task_.mask_row, rows_of(tile), keys);
        kinds_[static_cast<std::size_t>(tile) * blocks_ + block] = kind;
    }
}

bool Run::wanted(int block) const {
    for (int tile = 0; tile < tiles_; ++tile) {
        if (kinds_[static_cast<std::size_t>(tile) * blocks_ + block] != Tile::kHidden) return true;
    }
    return false;
}

void Run::pack(int head, int slot, int block) {
    if (!wanted(block)) return;
    const auto first = [&](const HeadRows& x) {
        return static_cast<const std::byte*>(x.data) +
               static_cast<std::size_t>(head) * x.head_bytes +
               static_cast<std::size_t>(block) * kAttentionKeys * x.row_bytes;
    };
    std::byte* panel = k_panel(slot, block);
    kernels_.pack_k(task_.k, first(task_.k), keys_of(block), panel);
    kernels_.pack_v(task_.v, first(task_.v), keys_of(block), panel + k_bytes_);
}

// A tile of queries in some heads of one group: they share the keys, the values and the mask.
void Run::work(int job, int first_head, Scratch& s) const {
    const int parts = blocks_of(group_, job_heads_);
    const int tile = tiles_ - 1 - job / (parts * heads_at_once_);  // causal: the longest first
    const int slot = job / parts % heads_at_once_;
    const int part = job % parts * job_heads_;
    const int heads = std::min(job_heads_, group_ - part);
    const int head = (first_head + slot) * group_ + part;
    if (head >= task_.q.heads) return;
    const int lanes = lanes_of(tile);
    const int rows = rows_of(tile);
    for (int h = 0; h < heads; ++h) {
        const auto* q = static_cast<const std::byte*>(task_.q.data) +
                        static_cast<std::size_t>(head + h) * task_.q.head_bytes +
                        static_cast<std::size_t>(tile) * kAttentionLanes * task_.q.row_bytes;
        kernels_.pack_q(reinterpret_cast<const float*>(q), task_.q.row_bytes, rows, task_.k.dim,
                        lanes, s.q + static_cast<std::size_t>(h) * s.q_bytes);
        const AttentionState state = state_of(s, h, lanes);
        std::fill(state.o, state.top, 0.0f);
        std::fill(state.top, state.sum, kLogitFloor);
        std::fill(state.sum, state.sum + lanes, 0.0f);
    }
    for (int block = 0; block < blocks_; ++block) {
        const Tile kind = kinds_[static_cast<std::size_t>(tile) * blocks_ + block];
        if (kind == Tile::kHidden) continue;
        if (kind == Tile::kMixed && task_.mask) {
            kernels_.spread_bias(mask_of(tile, block), task_.mask_row, rows, keys_of(block), lanes,
                                 s.bias);
        } else if (kind == Tile::kMixed) {
            const auto shown = s.bias + static_cast<std::ptrdiff_t>(keys_of(block)) * lanes;
            std::fill(s.bias, shown, 0.0f);
            std::fill(shown, s.bias + static_cast<std::ptrdiff_t>(kAttentionKeys) * lanes,
                      -INFINITY);
        }
        const std::byte* k = k_panel(slot, block);
        AttentionBlock b = {
            nullptr,  k,           k + k_bytes_, kind == Tile::kMixed ? s.bias : nullptr,
            s.scores, s.weights,   task_.k.dim,  task_.v.dim,
            lanes,    task_.scale, 1.0f,         task_.softcap};
        for (int h = 0; h < heads; ++h) {
            b.q = s.q + static_cast<std::size_t>(h) * s.q_bytes;
            b.slope = slope_of(task_.max_bias, head + h, task_.q.heads);
            kernels_.attend(b, state_of(s, h, lanes));
        }
    }
    for (int h = 0; h < heads; ++h) finish(head + h, tile, s, h);
}

// o / sum, after a sink has had its share; from lanes to rows.
void Run::finish(int head, int tile, const Scratch& s, int slot) const {
    const int lanes = lanes_of(tile);
    const AttentionState state = state_of(s, slot, lanes);
    for (int row = 0; row < rows_of(tile); ++row) {
        float factor = 1.0f;
        float sum = state.sum[row];
        if (task_.sinks) {
            const float top = std::max(state.top[row], task_.sinks[head]);
            factor = std::exp(state.top[row] - top);
            sum = sum * factor + std::exp(task_.sinks[head] - top);
        }
        factor = sum > 0 ? factor / sum : 0.0f;
        const auto query = static_cast<std::size_t>(tile) * kAttentionLanes + row;
        float* out =
            task_.out + (query * task_.q.heads + head) * static_cast<std::size_t>(task_.v.dim);
        for (int d = 0; d < task_.v.dim; ++d) out[d] = state.o[d * lanes + row] * factor;
    }
}

void Run::operator()(std::byte* panels, std::byte* scratch, Tile* kinds) {
    panels_ = panels;
    kinds_ = kinds;
    const std::size_t each = scratch_bytes();
    int next = 0;
#pragma omp parallel num_threads(threads_)
    {
        int mine;
#pragma omp atomic capture
        mine = next++;
        Scratch s(scratch + static_cast<std::size_t>(mine) * each, task_, kernels_.element_bytes);
#pragma omp for schedule(static)
        for (int tile = 0; tile < tiles_; ++tile) look_at_mask(tile);
        for (int first = 0; first < task_.k.heads; first += heads_at_once_) {
            const int heads = std::min(heads_at_once_, task_.k.heads - first);
#pragma omp for schedule(dynamic, 4)
            for (int i = 0; i < heads * blocks_; ++i)
                pack(first + i / blocks_, i / blocks_, i % blocks_);
            const int jobs = tiles_ * heads_at_once_ * blocks_of(group_, job_heads_);
#pragma omp for schedule(dynamic, 1)
            for (int job = 0; job < jobs; ++job) work(job, first, s);
        }
    }
}

}  // namespace

bool attention_supports(int dim, int dim_v) noexcept {
    const auto good = [](int d) { return d > 0 && d <= 512 && d % 8 == 0; };
    return good(dim) && good(dim_v);
}

AttentionKernel best_attention_kernel() noexcept {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
        return AttentionKernel::kAvx512Bf16;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return AttentionKernel::kAvx2;
    }
#endif
    return AttentionKernel::kPortable;
}

struct Attention::Space {
    Lines panels;
    Lines scratch;
    std::vector<Tile> kinds;
};

Attention::Attention(AttentionKernel kernel) : kernel_(kernel), space_(std::make_unique<Space>()) {}
Attention::~Attention() = default;
Attention::Attention(Attention&&) noexcept = default;
Attention& Attention::operator=(Attention&&) noexcept = default;

void Attention::run(const AttentionTask& task, int threads) {
    JIKJI_CHECK(attention_supports(task.k.dim, task.v.dim));
    JIKJI_CHECK(task.q.type == Element::kF32 && task.q.dim == task.k.dim);
    JIKJI_CHECK(task.k.rows == task.v.rows && task.k.heads == task.v.heads);
    JIKJI_CHECK(task.k.heads > 0 && task.q.heads % task.k.heads == 0 && threads > 0);
    if (task.q.rows == 0) return;
    Run run(task, kernels_of(kernel_), threads);
    space_->kinds.resize(run.tile_count());
    run(space_->panels.at_least(run.panel_bytes()),
        space_->scratch.at_least(run.scratch_bytes() * static_cast<std::size_t>(threads)),
        space_->kinds.data());
}

}  // namespace jikji::gemm
