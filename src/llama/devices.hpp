#pragma once
// The graphics processors that this build can compute on. Which kinds are built in (CUDA, Vulkan,
// Metal) is a matter of the CMake preset; which are there is asked at run time.
// Threads: any, after one another.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace jikji::llama {

struct Device {
    std::string name;         // "Vulkan0", "CUDA0"
    std::string description;  // the maker's name for it
    std::uint64_t free = 0;   // bytes
    std::uint64_t total = 0;  // bytes
};

/// Empty where there is no GPU, or none built in: then the CPU computes.
std::vector<Device> devices();

/// Layers of a model (its output counts as one) that fit into `free` bytes of a GPU, a part of
/// which is left to keys, values and scratch memory: 0..layers.
int layers_that_fit(std::uint64_t file_bytes, int layers, std::uint64_t free);

/// For `auto`: as many layers of that file as fit into the GPUs that are there; 0 without any.
/// A file that cannot be read counts as 0: loading it will say why.
int fitting_layers(const std::filesystem::path& file);

}  // namespace jikji::llama
