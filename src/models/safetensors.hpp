#pragma once
// safetensors, Hugging Face's file of weights: a JSON head, then bytes. Checked as GGUF is.
// Threads: any; the object does not change.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace jikji::models {

enum class WeightType { kF32, kF16, kBf16, kOther };

struct Weight {
    WeightType type = WeightType::kOther;
    std::vector<std::uint64_t> shape;  // slowest first, as the file says it
    std::string_view bytes;
    std::uint64_t values = 0;
};

class Safetensors {
public:
    /// Throws Error(kRejected) that says what is wrong, or as MappedFile.
    explicit Safetensors(const std::filesystem::path& path);

    const std::map<std::string, Weight>& weights() const { return weights_; }

private:
    MappedFile file_;
    std::map<std::string, Weight> weights_;
};

/// Float32 values, little-endian. Requires: not kOther.
std::string as_f32(const Weight& weight);
/// Float16 values, little-endian, rounded to nearest even; beyond its range: infinity.
std::string as_f16(const Weight& weight);

std::uint16_t half_of(float value);
float float_of_half(std::uint16_t half);

}  // namespace jikji::models
