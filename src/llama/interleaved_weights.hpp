#pragma once
// Makes ggml keep 4- and 8-bit weights as gemm/interleaved.hpp has them, and multiply few rows by
// its products: the layout of the weights for this CPU, without a change of their values.
//
// How     ggml's CPU backend asks a list of "extra buffer types" whether one wants a weight; its
//         own repacked forms are entries of that list. Ours is one more. The list's header is
//         internal to ggml (nothing in it is patched, but it may change with the pinned release).
// Memory  weights in this buffer are a copy of the file's; the mapped file's pages are given back.
// Threads register_interleaved_weights(): any, any number of times. The products run in ggml's
//         threads.
// Measuring: JIKJI_INTERLEAVED=off in the environment leaves all weights to ggml.
#include <string_view>

struct ggml_tensor;

namespace jikji::llama {

/// From now on models that are loaded use it. Does nothing on a CPU where it does not pay.
void register_interleaved_weights();

/// Whether a weight lies interleaved: its data are then no blocks of ggml's.
bool is_interleaved(const ggml_tensor* tensor);

/// Whether weights of ggml's type of that name ("Q4_1") are kept interleaved on this CPU.
bool interleaves(std::string_view type);

}  // namespace jikji::llama
