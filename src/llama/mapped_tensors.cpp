#include "llama/mapped_tensors.hpp"

#include <fcntl.h>
#include <ggml.h>
#include <gguf.h>
#include <llama.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

namespace jikji::llama {
namespace {

struct FreeGguf {
    void operator()(gguf_context* gguf) const noexcept { gguf_free(gguf); }
};

int split_count(const gguf_context* gguf) {
    const auto key = gguf_find_key(gguf, "split.count");
    if (key < 0 || gguf_get_kv_type(gguf, key) != GGUF_TYPE_UINT16) return 1;
    return gguf_get_val_u16(gguf, key);
}

std::filesystem::path part_of(const std::filesystem::path& first, int part, int count) {
    char prefix[4096];
    char path[4096];
    if (llama_split_prefix(prefix, sizeof prefix, first.c_str(), 0, count) == 0) return {};
    llama_split_path(path, sizeof path, prefix, part, count);
    return path;
}

}  // namespace

MappedTensors::MappedTensors(const std::filesystem::path& file) {
    const int count = open(file);
    for (int part = 1; part < count; ++part) open(part_of(file, part, count));
}

MappedTensors::~MappedTensors() {
    for (const Part& part : parts_) munmap(part.data, part.size);
}

int MappedTensors::open(const std::filesystem::path& file) {
    const std::unique_ptr<gguf_context, FreeGguf> gguf(
        gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = nullptr}));
    if (!gguf) return 0;
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return 0;
    struct stat status {};
    void* data = MAP_FAILED;
    if (fstat(descriptor, &status) == 0)
        data = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED,
                    descriptor, 0);
    close(descriptor);
    if (data == MAP_FAILED) return 0;
    const Part part{data, static_cast<std::size_t>(status.st_size)};
    parts_.push_back(part);
    for (std::int64_t i = 0; i < gguf_get_n_tensors(gguf.get()); ++i) {
        const std::size_t at =
            gguf_get_data_offset(gguf.get()) + gguf_get_tensor_offset(gguf.get(), i);
        const std::size_t size = gguf_get_tensor_size(gguf.get(), i);
        if (at > part.size || size > part.size - at) continue;
        entries_[gguf_get_tensor_name(gguf.get(), i)] = {static_cast<const std::byte*>(data) + at,
                                                         size, gguf_get_tensor_type(gguf.get(), i)};
    }
    return split_count(gguf.get());
}

const std::byte* MappedTensors::find(const ggml_tensor* tensor) const {
    const auto found = entries_.find(ggml_get_name(tensor));
    if (found == entries_.end()) return nullptr;
    const Entry& entry = found->second;
    return entry.type == tensor->type && entry.size == ggml_nbytes(tensor) ? entry.data : nullptr;
}

}  // namespace jikji::llama
