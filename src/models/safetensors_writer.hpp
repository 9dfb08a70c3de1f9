#pragma once
// Writes safetensors, Hugging Face's file of weights, in float32. Threads: any.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace jikji::models {

struct NewWeight {
    std::string name;                  // letters, digits, '.', '_'
    std::vector<std::uint64_t> shape;  // slowest first
    std::vector<float> values;         // as many as the shape says
};

/// Durable and all or nothing. Throws as PendingFile.
void write_safetensors(const std::filesystem::path& target, std::span<const NewWeight> weights);

}  // namespace jikji::models
