#pragma once
// The forward pass over a pack of texts, in steps that several threads run beside each other, each
// on rows of its own. Compiled once for each instruction set that it is worth having for.
//
// Shapes   a pack is the tokens of its texts one after the other, a row each. `x` rows x E float32
//          (the residual stream), the others in the layout's number ("half"): `qkv` rows x 3E.
// Threads  between embed() or a layer() and the next layer() all threads have to have ended the
//          former: attention reads the keys and values of its whole text. Two buffers of qkv in
//          turn make one wait per layer enough.
// Numbers  float32; with Layout::bf16 products round their factors to bfloat16 and sum in float32.
//          GELU is the one of the tanh, as libllama computes it (arXiv:1606.08415, section 2).
#include <span>
#include <vector>

#include "encoder/weights.hpp"

namespace jikji::encoder {

struct Rows {
    int begin;
    int end;
};

struct Text {
    int begin;  // its first row
    int end;
};

struct Pack {
    std::vector<std::int32_t> tokens;  // of all rows
    std::vector<Text> texts;           // in order, without gaps
    float* x = nullptr;
    void* qkv[2] = {};  // layer i reads qkv[i % 2] and writes the other
};

/// What one thread needs for itself: bytes that pass.cpp hands out.
struct Desk {
    std::vector<CacheLine> bytes;
};

struct Steps {
    const char* name;  // of the instruction set
    Layout layout;
    /// Tokens to vectors, and to the first layer's queries, keys and values.
    void (*embed)(const Weights&, const Pack&, Rows, Desk&);
    /// One layer, and the next one's queries, keys and values (after the last: nothing).
    void (*layer)(const Weights&, const Pack&, int index, Rows, Desk&);
    /// The vectors of texts [rows.begin, rows.end), E floats each.
    void (*pool)(const Weights&, const Pack&, Rows texts, float* out);
};

extern const Steps kPortableSteps;
#if defined(__x86_64__)
extern const Steps kAvx2Steps;    // AVX2 and FMA
extern const Steps kAvx512Steps;  // AVX-512 F, BW, VL, DQ
extern const Steps kBf16Steps;    // and AVX512-BF16
#endif

/// The sets that this machine has, best first; the last is portable.
std::vector<const Steps*> steps_here();

}  // namespace jikji::encoder
