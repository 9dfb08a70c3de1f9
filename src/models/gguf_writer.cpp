#include <bit>
#include <cstring>

#include "base/error.hpp"
#include "models/gguf.hpp"

namespace jikji::models {
namespace {

constexpr std::uint64_t kAlignment = 32;  // the format's default, so it needs no key

template <typename T>
void put(std::string& out, T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

void put_text(std::string& out, std::string_view text) {
    put<std::uint64_t>(out, text.size());
    out += text;
}

void put_type(std::string& out, GgufType type) { put(out, static_cast<std::uint32_t>(type)); }

template <typename T>
void put_array(std::string& out, GgufType element, const std::vector<T>& values) {
    put_type(out, element);
    put<std::uint64_t>(out, values.size());
    for (const T& value : values) put(out, value);
}

std::uint64_t padding(std::uint64_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

}  // namespace

void GgufWriter::key(std::string_view name, GgufType type) {
    put_text(values_, name);
    put_type(values_, type);
    ++count_;
}

void GgufWriter::set(std::string_view name, std::string_view text) {
    key(name, GgufType::kString);
    put_text(values_, text);
}

void GgufWriter::set_number(std::string_view name, std::uint32_t value) {
    key(name, GgufType::kUint32);
    put(values_, value);
}

void GgufWriter::set_real(std::string_view name, float value) {
    key(name, GgufType::kFloat32);
    put(values_, value);
}

void GgufWriter::set_flag(std::string_view name, bool value) {
    key(name, GgufType::kBool);
    put<std::uint8_t>(values_, value ? 1 : 0);
}

void GgufWriter::set_texts(std::string_view name, const std::vector<std::string>& values) {
    key(name, GgufType::kArray);
    put_type(values_, GgufType::kString);
    put<std::uint64_t>(values_, values.size());
    for (const std::string& value : values) put_text(values_, value);
}

void GgufWriter::set_reals(std::string_view name, const std::vector<float>& values) {
    key(name, GgufType::kArray);
    put_array(values_, GgufType::kFloat32, values);
}

void GgufWriter::set_bytes(std::string_view name, std::string_view bytes) {
    key(name, GgufType::kArray);
    put_type(values_, GgufType::kUint8);
    put_text(values_, bytes);
}

void GgufWriter::set_numbers(std::string_view name, const std::vector<std::int32_t>& values) {
    key(name, GgufType::kArray);
    put_array(values_, GgufType::kInt32, values);
}

void GgufWriter::set_value(std::string_view name, const GgufValue& value) {
    key(name, value.type);
    if (value.type == GgufType::kString) {
        put_text(values_, value.bytes);
        return;
    }
    if (value.type == GgufType::kArray) {
        put_type(values_, value.element);
        put<std::uint64_t>(values_, value.count);
    }
    values_ += value.bytes;
}

void GgufWriter::add_tensor(std::string name, std::vector<std::uint64_t> shape, std::uint32_t type,
                            std::function<std::string()> fill) {
    const TensorType* layout = tensor_type(type);
    JIKJI_CHECK(layout != nullptr && !shape.empty() && shape[0] % layout->block_values == 0);
    std::uint64_t values = 1;
    for (const std::uint64_t size : shape) values *= size;
    const std::uint64_t bytes = values / layout->block_values * layout->block_bytes;
    tensors_.push_back({std::move(name), std::move(shape), type, bytes, std::move(fill)});
}

std::string GgufWriter::head() const {
    std::string out = "GGUF";
    put<std::uint32_t>(out, 3);
    put<std::uint64_t>(out, tensors_.size());
    put<std::uint64_t>(out, count_);
    out += values_;
    std::uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
        put_text(out, tensor.name);
        put(out, static_cast<std::uint32_t>(tensor.shape.size()));
        for (const std::uint64_t size : tensor.shape) put(out, size);
        put(out, tensor.type);
        put(out, offset);
        offset += tensor.bytes + padding(tensor.bytes);
    }
    out.append(padding(out.size()), '\0');
    return out;
}

void GgufWriter::write(const std::filesystem::path& target) const {
    PendingFile file(target);
    file.write(head());
    for (const Tensor& tensor : tensors_) {
        std::string bytes = tensor.fill();
        JIKJI_CHECK(bytes.size() == tensor.bytes);
        bytes.append(padding(bytes.size()), '\0');
        file.write(bytes);
    }
    file.commit();
}

}  // namespace jikji::models
