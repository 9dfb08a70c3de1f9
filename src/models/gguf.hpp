#pragma once
// GGUF, the file format of models (ggml's docs/gguf.md, versions 2 and 3): an own checked reader,
// since llama.cpp trusts its input, and a writer. Nothing is read outside the file, and nothing is
// believed that the file's size cannot back. Threads: any; a Gguf does not change.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"

namespace jikji::models {

// Names and numbers of the format; do not renumber.
enum class GgufType : std::uint32_t {
    kUint8,
    kInt8,
    kUint16,
    kInt16,
    kUint32,
    kInt32,
    kFloat32,
    kBool,
    kString,
    kArray,
    kUint64,
    kInt64,
    kFloat64,
};

/// How one kind of tensor is laid out: `block_values` values take `block_bytes` bytes.
struct TensorType {
    std::uint32_t id;
    const char* name;  // "Q4_K"
    std::uint32_t block_values;
    std::uint32_t block_bytes;
};
/// Nothing if the number is not a type of ggml.
const TensorType* tensor_type(std::uint32_t id);
inline constexpr std::uint32_t kF32 = 0, kF16 = 1, kQ4_0 = 2;  // ggml's numbers

/// One metadata value. Views point into the file that was given to parse_gguf().
struct GgufValue {
    GgufType type = GgufType::kUint32;
    GgufType element = GgufType::kUint8;  // of an array
    std::uint64_t count = 1;              // of an array's elements
    std::string_view bytes;               // the value as it stands in the file; text without length

    std::optional<std::uint64_t> as_unsigned() const;  // any integer type that is not negative
    std::optional<double> as_number() const;
    std::optional<bool> as_bool() const;
    std::optional<std::string_view> as_text() const;
};

struct GgufTensor {
    std::string_view name;
    std::vector<std::uint64_t> shape;  // fastest first
    const TensorType* type = nullptr;
    std::uint64_t values = 0;
    std::uint64_t offset = 0;  // from the start of the file
    std::uint64_t bytes = 0;
};

struct Gguf {
    std::uint32_t version = 0;
    std::uint32_t alignment = 32;
    std::map<std::string_view, GgufValue> values;
    std::vector<GgufTensor> tensors;

    const GgufValue* find(std::string_view key) const;
    std::string text(std::string_view key) const;  // empty if it is missing or not text
    std::uint64_t number(std::string_view key, std::uint64_t otherwise = 0) const;
    std::string architecture() const { return text("general.architecture"); }
};

/// What a whole file says of itself. `bytes` must outlive the result. Throws Error(kRejected) that
/// says what is wrong and at which byte; `name` is the file's name, for that message.
Gguf parse_gguf(std::string_view bytes, std::string_view name);

/// A file and what it says. Views stay valid as long as the object.
class GgufFile {
public:
    explicit GgufFile(const std::filesystem::path& path);  // throws as MappedFile and parse_gguf
    const Gguf& gguf() const { return gguf_; }
    std::string_view bytes() const { return file_.bytes(); }
    void let_go() const { file_.let_go(); }  // as MappedFile

private:
    MappedFile file_;
    Gguf gguf_;
};

/// Writes GGUF version 3: set values, declare tensors, then write() asks for each tensor's bytes
/// in turn, so that no more than one is in memory.
class GgufWriter {
public:
    void set(std::string_view key, std::string_view text);
    void set_number(std::string_view key, std::uint32_t value);
    void set_real(std::string_view key, float value);
    void set_flag(std::string_view key, bool value);
    void set_texts(std::string_view key, const std::vector<std::string>& values);
    void set_reals(std::string_view key, const std::vector<float>& values);
    void set_bytes(std::string_view key, std::string_view bytes);  // an array of uint8
    void set_numbers(std::string_view key, const std::vector<std::int32_t>& values);

    void set_value(std::string_view key, const GgufValue& value);  // as another file has it
    /// `fill` gives exactly the tensor's bytes; it is called once, by write().
    void add_tensor(std::string name, std::vector<std::uint64_t> shape, std::uint32_t type,
                    std::function<std::string()> fill);

    /// Durable and all or nothing. Throws as PendingFile.
    void write(const std::filesystem::path& target) const;

private:
    struct Tensor {
        std::string name;
        std::vector<std::uint64_t> shape;
        std::uint32_t type;
        std::uint64_t bytes;
        std::function<std::string()> fill;
    };
    void key(std::string_view name, GgufType type);
    std::string head() const;

    std::string values_;
    std::uint64_t count_ = 0;
    std::vector<Tensor> tensors_;
};

}  // namespace jikji::models
