#pragma once
// Floats to the blocks of a GGUF, by ggml's own conversions. Threads: any.
#include <string>

namespace jikji::llama {

/// Whether quantise() can make that type (a value of ggml_type), without data on what matters.
bool can_quantise(int type);

/// Appends `rows` rows of `columns` values. Requires: can_quantise(type), columns a multiple of the
/// type's block.
void quantise(int type, const float* values, int rows, int columns, std::string& out);

}  // namespace jikji::llama
