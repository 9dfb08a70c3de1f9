#pragma once
// The tensors of a GGUF (and of its further parts, if it is split) as they lie in the file.
// For weights that ggml keeps in an order of its own, which cannot be read back.
#include <cstddef>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

struct ggml_tensor;

namespace jikji::llama {

class MappedTensors {
public:
    /// What cannot be opened or mapped is left out.
    explicit MappedTensors(const std::filesystem::path& file);
    ~MappedTensors();
    MappedTensors(const MappedTensors&) = delete;
    MappedTensors& operator=(const MappedTensors&) = delete;

    /// The bytes of the tensor with this name, type and size; null if the file has none. Valid as
    /// long as this object.
    const std::byte* find(const ggml_tensor* tensor) const;

private:
    struct Part {
        void* data;
        std::size_t size;
    };
    struct Entry {
        const std::byte* data;
        std::size_t size;
        int type;
    };
    int open(const std::filesystem::path& file);

    std::vector<Part> parts_;
    std::unordered_map<std::string, Entry> entries_;
};

}  // namespace jikji::llama
