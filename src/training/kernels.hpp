#pragma once
// What a pass computes beside its large products, on rows of floats, once for each instruction set.
// Any length; pointers need no alignment. Each result is made in one order, so it does not depend
// on who calls for which rows. Threads: any.
#include <cstdint>

#include "training/dropout.hpp"

namespace jikji::training {

struct Kernels {
    const char* name;

    /// h = x / rms(x) · gain, rms with epsilon under the root.
    void (*normalise)(const float* x, const float* gain, int n, float epsilon, float* h);
    /// dx += what dh says through normalise().
    void (*normalise_back)(const float* x, const float* gain, const float* dh, int n, float epsilon,
                           float* dx);
    /// to = a + b; they may be the same.
    void (*add)(const float* a, const float* b, int n, float* to);
    /// Turns adjacent pairs of each of `heads` heads' first `turned` values: x · cosines + (the
    /// pair's other) · sines, tables of `turned` values; sines have their signs.
    void (*rope)(float* row, int heads, int head, int turned, const float* cosines,
                 const float* sines);
    /// act = silu(gate) · up
    void (*swiglu)(const float* gate, const float* up, int n, float* act);
    void (*swiglu_back)(const float* gate, const float* up, const float* d_act, int n,
                        float* d_gate, float* d_up);
    /// out = x · factor, or 0 where dropped; may be in place.
    void (*drop)(const float* x, int n, DropRow row, std::uint32_t threshold, float factor,
                 float* out);
    void (*scale)(float* x, int n, float factor);
    /// The first of the greatest.
    float (*greatest)(const float* x, int n, int* index);
    /// out = exp(x - top); returns their sum. In place, if wanted.
    float (*exps)(const float* x, int n, float top, float* out);
    void (*widen)(const std::uint16_t* halves, int n, float* out);

    // Products with an adapter's narrow matrices: m is `rank` rows of n.
    /// u (rows x rank) = scale · x · mᵀ
    void (*times_rows)(const float* x, int ldx, int rows, const float* m, int rank, int n,
                       float scale, float* u);
    /// y (rows x n) = u · m, or += if `add`
    void (*times_columns)(const float* u, int rank, int rows, const float* m, int n, bool add,
                          float* y, int ldy);
    /// g (rank x n, of `ldg`) += uᵀ · x
    void (*add_outer)(const float* u, int rank, int rows, const float* x, int ldx, int n, float* g,
                      int ldg);
};

/// The fastest that this CPU can run.
const Kernels& kernels();

#if defined(__x86_64__)
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx2Kernels;
#endif
extern const Kernels kPortableKernels;

}  // namespace jikji::training
