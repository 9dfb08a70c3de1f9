#include "models/safetensors_writer.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji::models {
namespace {

static_assert(std::endian::native == std::endian::little, "floats are written as they lie");

/// "format" is what transformers and PEFT ask for. Spaces at the end align the data to 8 bytes.
std::string head_of(std::span<const NewWeight> weights) {
    std::string head = R"({"__metadata__":{"format":"pt"})";
    std::uint64_t at = 0;
    for (const NewWeight& weight : weights) {
        std::uint64_t values = 1;
        for (const std::uint64_t size : weight.shape) values *= size;
        JIKJI_CHECK(values == weight.values.size());
        const std::uint64_t end = at + values * sizeof(float);
        head += fmt::format(R"(,"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                            weight.name, fmt::join(weight.shape, ","), at, end);
        at = end;
    }
    head += "}";
    head.append((8 - head.size() % 8) % 8, ' ');
    return head;
}

}  // namespace

void write_safetensors(const std::filesystem::path& target, std::span<const NewWeight> weights) {
    const std::string head = head_of(weights);
    const std::uint64_t size = head.size();
    char raw[sizeof size];
    std::memcpy(raw, &size, sizeof size);
    PendingFile file(target);
    file.write({raw, sizeof raw});
    file.write(head);
    for (const NewWeight& weight : weights) {
        file.write({reinterpret_cast<const char*>(weight.values.data()),
                    weight.values.size() * sizeof(float)});
    }
    file.commit();
}

}  // namespace jikji::models
