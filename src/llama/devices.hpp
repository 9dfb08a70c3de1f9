#pragma once
// The graphics processors that this build can compute on. Which kinds are built in (CUDA, Vulkan,
// Metal) is a matter of the CMake preset; which are there is asked at run time.
// Threads: any, after one another.
#include <cstdint>
#include <filesystem>
#include <functional>
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

/// What a model wants of a GPU, in bytes.
struct GpuNeed {
    std::uint64_t weights = 0;  // of all layers
    int layers = 0;             // its output counts as one
    std::uint64_t cells = 0;    // keys and values of all layers: each lies where its layer is
    std::uint64_t working = 0;  // results of a step; once, if there is a layer at all
};

/// Layers that fit into `free` bytes, a part of which is left to the driver: 0..layers.
int layers_that_fit(const GpuNeed& need, std::uint64_t free);

/// Layers of that file, and its output; 0 if it cannot be read: loading it will say why.
int layers_of(const std::filesystem::path& file);

/// As many layers of that file as fit into the GPUs that are there, `need` beside its weights; 0
/// without any.
int fitting_layers(const std::filesystem::path& file, GpuNeed need);

/// Calls `attempt` with `layers`, and again with half as many each time it throws
/// Error(kRejected), at last with 0, whose error passes. The number that went well.
int with_fewer_layers(int layers, const std::function<void(int)>& attempt);

}  // namespace jikji::llama
