#pragma once
// Attention of many queries at once: softmax(q·kᵀ · scale + mask) · v, without the n × n matrix.
//
// Shapes    Per head: q is n_queries × dim, k is n_keys × dim, v is n_keys × dim_v. Heads of q
// share
//           heads of k and v in equal groups (grouped queries): q.heads is a multiple of k.heads.
// Output    float32 [query][head of q][dim_v], without gaps. A query whose mask hides every key
//           gets zeros, unless a sink gives its softmax something to divide by.
// Work      Tiles of keys that the mask hides from all queries of a tile are not computed: half of
//           them in a causal prompt, and other sequences' in a cache that several share.
// Precision With AVX512-BF16, q, k, v and the softmax's numerators are rounded to bfloat16 (8 bits)
//           before they are multiplied; otherwise they stay float32. Sums are float32 always.
// Source    Dao 2023, arXiv:2307.08691 (tiles, the parallel order); Milakov & Gimelshein 2018,
//           arXiv:1805.02867 (the running maximum and sum of the softmax).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace jikji::gemm {

enum class Element { kF32, kF16, kBf16 };

/// Rows of `dim` elements, one for each row and head; within a row without gaps. Not owned.
struct HeadRows {
    const void* data = nullptr;
    Element type = Element::kF32;
    int dim = 0;
    int rows = 0;
    int heads = 0;
    std::size_t row_bytes = 0;   // from a row to the next of the same head
    std::size_t head_bytes = 0;  // from a head to the next
};

struct AttentionTask {
    HeadRows q;  // float32
    HeadRows k;
    HeadRows v;  // rows and heads as k
    float* out = nullptr;
    float scale = 1.0f;  // above 0
    /// float16 bits, added to the scaled scores: -inf hides a key from a query; null hides nothing.
    const std::uint16_t* mask = nullptr;  // n_queries rows of n_keys
    std::size_t mask_row = 0;             // elements from a row to the next
    float max_bias = 0.0f;                // ALiBi (arXiv:2108.12409): the mask times a head's slope
    float softcap = 0.0f;                 // above 0: scores become softcap·tanh(score / softcap)
    const float* sinks = nullptr;         // a score per head that takes part in its sums only
};

/// True for head sizes that the kernels are made for: multiples of 8, up to 512.
bool attention_supports(int dim, int dim_v) noexcept;

enum class AttentionKernel { kPortable, kAvx2, kAvx512Bf16 };

/// The fastest that this CPU has the instructions for.
AttentionKernel best_attention_kernel() noexcept;

/// Computes tasks one after the other, and keeps its work space between them.
/// Threads: one caller at a time.
class Attention {
public:
    explicit Attention(AttentionKernel kernel = best_attention_kernel());
    ~Attention();
    Attention(Attention&&) noexcept;
    Attention& operator=(Attention&&) noexcept;

    /// Runs on `threads` OpenMP threads. Requires: attention_supports(task.k.dim, task.v.dim), and
    /// a kernel that best_attention_kernel() or a lesser one named.
    void run(const AttentionTask& task, int threads);

private:
    struct Space;
    AttentionKernel kernel_;
    std::unique_ptr<Space> space_;
};

}  // namespace jikji::gemm
