#include "llama/devices.hpp"

#include <fmt/format.h>
#include <ggml-backend.h>
#include <gguf.h>

#include <algorithm>
#include <memory>

#include "base/error.hpp"
#include "base/log.hpp"

namespace jikji::llama {
namespace {

// Left free on a GPU: the driver's own, what a display takes, and buffers that do not come out
// even.
constexpr std::uint64_t kKeptFree = 256ull << 20;

bool is_gpu(ggml_backend_dev_t device) {
    const auto type = ggml_backend_dev_type(device);
    return type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU;
}

struct FreeGguf {
    void operator()(gguf_context* gguf) const noexcept { gguf_free(gguf); }
};

}  // namespace

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

int layers_that_fit(const GpuNeed& need, std::uint64_t free) {
    const std::uint64_t beside = need.working + kKeptFree;
    if (need.layers <= 0 || free <= beside) return 0;
    const auto layers = static_cast<std::uint64_t>(need.layers);
    const std::uint64_t layer =
        std::max<std::uint64_t>((need.weights + need.cells + layers - 1) / layers, 1);
    return static_cast<int>(std::min((free - beside) / layer, layers));
}

int fitting_layers(const std::filesystem::path& file, GpuNeed need) {
    std::uint64_t free = 0;
    for (const Device& device : devices()) free += device.free;
    if (free == 0) return 0;
    std::error_code unreadable;
    need.weights = std::filesystem::file_size(file, unreadable);
    need.layers = layers_of(file);
    return unreadable ? 0 : layers_that_fit(need, free);
}

int with_fewer_layers(int layers, const std::function<void(int)>& attempt) {
    while (true) {
        try {
            attempt(layers);
            return layers;
        } catch (const Error& error) {
            if (layers == 0 || error.code() != ErrorCode::kRejected) throw;
            log_warn(fmt::format("{} layers are too many for the GPU, trying {}: {}", layers,
                                 layers / 2, error.what()));
        }
        layers /= 2;
    }
}

}  // namespace jikji::llama
