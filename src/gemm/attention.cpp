#include "gemm/attention.hpp"

#include "base/cpu.hpp"
#include "base/error.hpp"
#include "gemm/attention_run.hpp"

namespace jikji::gemm {
namespace {

const AttentionKernels& kernels_of(AttentionKernel kernel) {
    switch (kernel) {
        case AttentionKernel::kAvx512Bf16: return avx512_attention();
        case AttentionKernel::kAvx2: return avx2_attention();
        case AttentionKernel::kPortable: break;
    }
    return portable_attention();
}

// What a mask's rows say about one block of keys: loops over bits, which compilers make vectors of.
Tile tile_of(const std::uint16_t* mask, std::size_t mask_row, int rows, int keys) {
    std::uint16_t shown[kAttentionKeys] = {};
    std::uint16_t changed[kAttentionKeys] = {};
    for (int row = 0; row < rows; ++row, mask += mask_row) {
        for (int key = 0; key < keys; ++key) {
            shown[key] = static_cast<std::uint16_t>(shown[key] | (mask[key] ^ kHiddenBits));
            changed[key] = static_cast<std::uint16_t>(changed[key] | (mask[key] << 1));
        }
    }
    const auto any = [](const std::uint16_t(&bits)[kAttentionKeys]) {
        return std::any_of(bits, bits + kAttentionKeys, [](std::uint16_t b) { return b != 0; });
    };
    if (!any(shown)) return Tile::kHidden;
    return !any(changed) && keys == kAttentionKeys ? Tile::kOpen : Tile::kMixed;
}

}  // namespace

AttentionRun::AttentionRun(const AttentionTask& task, const AttentionKernels& kernels, int threads,
                           AttentionSpace& space)
    : task_(task),
      kernels_(kernels),
      space_(space),
      threads_(threads),
      group_(task.q.heads / task.k.heads),
      tiles_(blocks_of(task.q.rows, kAttentionLanes)),
      blocks_(blocks_of(task.k.rows, kAttentionKeys)) {
    const bool few = tiles_ * task.k.heads < 4 * threads;
    job_heads_ = few ? 1 : std::min(group_, kHeadsPerJob);
    k_bytes_ = kernels.element_bytes * kAttentionKeys * static_cast<std::size_t>(task.k.dim);
    v_bytes_ = kernels.element_bytes * kAttentionKeys * static_cast<std::size_t>(task.v.dim);
    const std::size_t head = (k_bytes_ + v_bytes_) * static_cast<std::size_t>(blocks_);
    heads_at_once_ = static_cast<int>(
        std::clamp<std::size_t>(kPanelBytesMax / head, 1, static_cast<std::size_t>(task.k.heads)));
    panels_ = space.panels.at_least(head * static_cast<std::size_t>(heads_at_once_));
    space.scratch.at_least(scratch_bytes() * static_cast<std::size_t>(threads));
    space.kinds.resize(static_cast<std::size_t>(tiles_) * blocks_);
}

void AttentionRun::look_at_mask(int tile) const {
    for (int block = 0; block < blocks_; ++block) {
        const int keys = keys_of(block);
        Tile how = keys == kAttentionKeys ? Tile::kOpen : Tile::kMixed;
        if (task_.mask) how = tile_of(mask_of(tile, block), task_.mask_row, rows_of(tile), keys);
        kind(tile, block) = how;
    }
}

void AttentionRun::operator()() {
    const std::size_t each = scratch_bytes();
    std::byte* scratch = space_.scratch.at_least(each);
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

bool attention_supports(int dim, int dim_v) noexcept {
    const auto good = [](int d) { return d > 0 && d <= kAttentionDimMax && d % 8 == 0; };
    return good(dim) && good(dim_v);
}

AttentionKernel best_attention_kernel() noexcept {
    if (cpu::has_avx512_bf16()) return AttentionKernel::kAvx512Bf16;
    if (cpu::has_avx2()) return AttentionKernel::kAvx2;
    return AttentionKernel::kPortable;
}

struct Attention::Space : AttentionSpace {};

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
    const AttentionKernels& kernels = kernels_of(kernel_);
    if (task.q.rows <= kFewQueriesMax) return attend_few(task, kernels, threads, *space_);
    AttentionRun(task, kernels, threads, *space_)();
}

}  // namespace jikji::gemm
