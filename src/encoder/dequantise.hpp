#pragma once
// Weights of a GGUF file as float32. Every layout of ggml that published encoders use; the block
// formats are those of ggml's docs, read here byte by byte. Threads: any.
#include <cstdint>
#include <span>
#include <string_view>

namespace jikji::encoder {

/// Whether dequantise() reads this kind of tensor (ggml's number).
bool can_dequantise(std::uint32_t type);

/// `blocks` holds whole blocks for exactly values.size() values.
/// Requires: can_dequantise(type), and sizes that agree (models::TensorType).
void dequantise(std::uint32_t type, std::string_view blocks, std::span<float> values);

}  // namespace jikji::encoder
