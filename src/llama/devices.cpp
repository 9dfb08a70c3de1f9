#include "llama/devices.hpp"

#include <ggml-backend.h>
#include <gguf.h>

#include <algorithm>
#include <memory>

namespace jikji::llama {
namespace {

// Left free on a GPU: scratch buffers of a 512-token step and a usual KV cache.
constexpr std::uint64_t kKeptFree = 600ull << 20;

bool is_gpu(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

struct FreeGguf {
    void operator()(gguf_context* gguf) const noexcept { gguf_free(gguf); }
};

/// Layers and the output, from the file's own metadata; 0 if it says nothing.
int layers_of(const std::filesystem::path& file) {
    const gguf_init_params params{/*no_alloc=*/true, /*ctx=*/nullptr};
    const std::unique_ptr<gguf_context, FreeGguf> gguf(gguf_init_from_file(file.c_str(), params));
    if (!gguf) return 0;
    const auto name = gguf_find_key(gguf.get(), "general.architecture");
    if (name < 0 || gguf_get_kv_type(gguf.get(), name) != GGUF_TYPE_STRING) return 0;
    const std::string key = std::string(gguf_get_val_str(gguf.get(), name)) + ".block_count";
    const auto count = gguf_find_key(gguf.get(), key.c_str());
    if (count < 0 || gguf_get_kv_type(gguf.get(), count) != GGUF_TYPE_UINT32) return 0;
    return static_cast<int>(gguf_get_val_u32(gguf.get(), count)) + 1;
}

}  // namespace

std::vector<Device> devices() {
    std::vector<Device> out;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        const ggml_backend_dev_t handle = ggml_backend_dev_get(i);
        if (!is_gpu(handle)) continue;
        std::size_t free = 0;
        std::size_t total = 0;
        ggml_backend_dev_memory(handle, &free, &total);
        out.push_back(
            {ggml_backend_dev_name(handle), ggml_backend_dev_description(handle), free, total});
    }
    return out;
}

int layers_that_fit(std::uint64_t file_bytes, int layers, std::uint64_t free) {
    if (layers <= 0 || free <= kKeptFree) return 0;
    const std::uint64_t layer =
        std::max<std::uint64_t>(file_bytes / static_cast<unsigned>(layers), 1);
    const std::uint64_t fitting = (free - kKeptFree) / layer;
    return static_cast<int>(std::min<std::uint64_t>(fitting, static_cast<unsigned>(layers)));
}

int fitting_layers(const std::filesystem::path& file) {
    std::uint64_t free = 0;
    for (const Device& device : devices()) free += device.free;
    if (free == 0) return 0;
    std::error_code unreadable;
    const auto bytes = std::filesystem::file_size(file, unreadable);
    return unreadable ? 0 : layers_that_fit(bytes, layers_of(file), free);
}

}  // namespace jikji::llama
