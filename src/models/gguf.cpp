#include "models/gguf.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.hpp"

namespace jikji::models {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF is read as it stands in memory");

// Far above every published model, far below what could hurt us.
constexpr std::uint64_t kValuesMax = 65'536;
constexpr std::uint64_t kTensorsMax = 1'000'000;
constexpr std::uint64_t kNameBytesMax = 65'535;  // the format's own limit for keys
constexpr std::uint64_t kTextBytesMax = 64ull << 20;
constexpr std::uint64_t kElementsMax = 64ull << 20;
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::uint32_t kAlignmentMax = 1u << 20;

// ggml's block layouts (ggml-common.h, ggml.c's type_traits), read for their sizes.
constexpr std::array kTypes = {
    TensorType{0, "F32", 1, 4},         TensorType{1, "F16", 1, 2},
    TensorType{2, "Q4_0", 32, 18},      TensorType{3, "Q4_1", 32, 20},
    TensorType{6, "Q5_0", 32, 22},      TensorType{7, "Q5_1", 32, 24},
    TensorType{8, "Q8_0", 32, 34},      TensorType{9, "Q8_1", 32, 36},
    TensorType{10, "Q2_K", 256, 84},    TensorType{11, "Q3_K", 256, 110},
    TensorType{12, "Q4_K", 256, 144},   TensorType{13, "Q5_K", 256, 176},
    TensorType{14, "Q6_K", 256, 210},   TensorType{15, "Q8_K", 256, 292},
    TensorType{16, "IQ2_XXS", 256, 66}, TensorType{17, "IQ2_XS", 256, 74},
    TensorType{18, "IQ3_XXS", 256, 98}, TensorType{19, "IQ1_S", 256, 50},
    TensorType{20, "IQ4_NL", 32, 18},   TensorType{21, "IQ3_S", 256, 110},
    TensorType{22, "IQ2_S", 256, 82},   TensorType{23, "IQ4_XS", 256, 136},
    TensorType{24, "I8", 1, 1},         TensorType{25, "I16", 1, 2},
    TensorType{26, "I32", 1, 4},        TensorType{27, "I64", 1, 8},
    TensorType{28, "F64", 1, 8},        TensorType{29, "IQ1_M", 256, 56},
    TensorType{30, "BF16", 1, 2},       TensorType{34, "TQ1_0", 256, 54},
    TensorType{35, "TQ2_0", 256, 66},   TensorType{39, "MXFP4", 32, 17},
    TensorType{40, "NVFP4", 64, 36},    TensorType{41, "Q1_0", 128, 18},
    TensorType{42, "Q2_0", 64, 18},
};

// Bytes of a value of a fixed size; 0 for text and arrays.
std::uint64_t size_of(GgufType type) {
    switch (type) {
        case GgufType::kUint8:
        case GgufType::kInt8:
        case GgufType::kBool: return 1;
        case GgufType::kUint16:
        case GgufType::kInt16: return 2;
        case GgufType::kUint32:
        case GgufType::kInt32:
        case GgufType::kFloat32: return 4;
        case GgufType::kUint64:
        case GgufType::kInt64:
        case GgufType::kFloat64: return 8;
        case GgufType::kString:
        case GgufType::kArray: break;
    }
    return 0;
}

template <typename T>
T read_as(std::string_view bytes) {
    T value{};
    if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

class Reader {
public:
    Reader(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

    [[noreturn]] void fail(const std::string& english, const std::string& korean) const {
        throw Error(ErrorCode::kRejected,
                    fmt::format("{} is not a sound GGUF file: {} (at byte {} of {}); get the file "
                                "again from where it came",
                                name_, english, at_, bytes_.size()),
                    "file",
                    fmt::format("{} 파일은 올바른 GGUF가 아닙니다: {} ({}바이트 중 {}번째). 파일을 "
                                "다시 받으세요.",
                                name_, korean, bytes_.size(), at_));
    }

    std::string_view take(std::uint64_t size) {
        if (size > bytes_.size() - at_) {
            fail(fmt::format("it ends early, {} more bytes were announced", size),
                 fmt::format("파일이 중간에 끊겼습니다. {}바이트가 더 있어야 합니다", size));
        }
        const std::string_view out = bytes_.substr(at_, size);
        at_ += size;
        return out;
    }

    template <typename T>
    T number() {
        return read_as<T>(take(sizeof(T)));
    }

    std::string_view text(std::uint64_t size_max, const char* what) {
        const auto size = number<std::uint64_t>();
        if (size > size_max) too_many(what, size, size_max);
        return take(size);
    }

    [[noreturn]] void too_many(const char* what, std::uint64_t got, std::uint64_t max) const {
        fail(fmt::format("{} is {}, and {} is the most there can be", what, got, max),
             fmt::format("{} 값이 {}인데 최대 {}입니다", what, got, max));
    }

    std::uint64_t at() const { return at_; }
    std::uint64_t left() const { return bytes_.size() - at_; }
    std::uint64_t size() const { return bytes_.size(); }

private:
    std::string_view bytes_;
    std::string_view name_;
    std::uint64_t at_ = 0;
};

GgufType read_type(Reader& reader) {
    const auto number = reader.number<std::uint32_t>();
    if (number > static_cast<std::uint32_t>(GgufType::kFloat64)) {
        reader.fail(fmt::format("there is no value type {}", number),
                    fmt::format("값 종류 {}번은 없습니다", number));
    }
    return static_cast<GgufType>(number);
}

void read_array(Reader& reader, GgufValue& value) {
    value.element = read_type(reader);
    value.count = reader.number<std::uint64_t>();
    if (value.element == GgufType::kArray) {
        reader.fail("an array of arrays, which llama.cpp cannot read",
                    "배열 안의 배열이 있는데 llama.cpp가 읽지 못합니다");
    }
    // Every element takes a byte at least, so the file's own size is a limit too.
    if (value.count > kElementsMax || value.count > reader.left()) {
        reader.too_many("an array's length", value.count, std::min(kElementsMax, reader.left()));
    }
    if (value.element != GgufType::kString) {
        value.bytes = reader.take(value.count * size_of(value.element));
        return;
    }
    Reader start = reader;
    const std::uint64_t from = reader.at();
    for (std::uint64_t i = 0; i < value.count; ++i) reader.text(kTextBytesMax, "a text's length");
    value.bytes = start.take(reader.at() - from);
}

GgufValue read_value(Reader& reader) {
    GgufValue value;
    value.type = read_type(reader);
    if (value.type == GgufType::kArray) {
        read_array(reader, value);
    } else if (value.type == GgufType::kString) {
        value.bytes = reader.text(kTextBytesMax, "a text's length");
    } else {
        value.bytes = reader.take(size_of(value.type));
    }
    return value;
}

struct Counts {
    std::uint64_t tensors = 0;
    std::uint64_t values = 0;
};

Counts read_head(Reader& reader, std::string_view bytes, Gguf& gguf) {
    if (bytes.substr(0, 4) != "GGUF") {
        reader.fail("it does not begin with the letters GGUF",
                    "파일이 GGUF라는 글자로 시작하지 않습니다");
    }
    reader.take(4);
    gguf.version = reader.number<std::uint32_t>();
    const std::uint32_t swapped = __builtin_bswap32(gguf.version);
    if (swapped == 2 || swapped == 3) {
        reader.fail("it is big-endian; only little-endian files can be read",
                    "빅 엔디언 파일입니다. 리틀 엔디언 파일만 읽을 수 있습니다");
    }
    if (gguf.version != 2 && gguf.version != 3) {
        reader.fail(fmt::format("its version is {}; 2 and 3 can be read", gguf.version),
                    fmt::format("버전이 {}입니다. 2와 3만 읽을 수 있습니다", gguf.version));
    }
    Counts counts;
    counts.tensors = reader.number<std::uint64_t>();
    counts.values = reader.number<std::uint64_t>();
    if (counts.tensors > kTensorsMax) reader.too_many("tensor count", counts.tensors, kTensorsMax);
    if (counts.values > kValuesMax) reader.too_many("metadata count", counts.values, kValuesMax);
    return counts;
}

void read_values(Reader& reader, std::uint64_t count, Gguf& gguf) {
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::string_view key = reader.text(kNameBytesMax, "a key's length");
        const GgufValue value = read_value(reader);
        if (!gguf.values.emplace(key, value).second) {
            reader.fail(fmt::format("the key {} stands twice", key),
                        fmt::format("키 {}가 두 번 나옵니다", key));
        }
    }
    const GgufValue* alignment = gguf.find("general.alignment");
    if (alignment == nullptr) return;
    const std::uint64_t given = alignment->as_unsigned().value_or(0);
    if (given < 8 || given > kAlignmentMax || !std::has_single_bit(given)) {
        reader.fail(fmt::format("its alignment is {}; a power of two from 8 is needed", given),
                    fmt::format("정렬 값이 {}입니다. 8 이상의 2의 거듭제곱이어야 합니다", given));
    }
    gguf.alignment = static_cast<std::uint32_t>(given);
}

void read_shape(Reader& reader, GgufTensor& tensor) {
    const auto dimensions = reader.number<std::uint32_t>();
    if (dimensions > kDimensionsMax) reader.too_many("dimensions", dimensions, kDimensionsMax);
    tensor.values = 1;
    for (std::uint32_t d = 0; d < dimensions; ++d) {
        const auto size = reader.number<std::uint64_t>();
        constexpr auto kMost = std::uint64_t{1} << 62;  // ggml counts with int64
        if (size == 0 || size > kMost / tensor.values) {
            reader.fail(fmt::format("tensor {} has the impossible size {}", tensor.name, size),
                        fmt::format("텐서 {}의 크기 {}는 있을 수 없습니다", tensor.name, size));
        }
        tensor.values *= size;
        tensor.shape.push_back(size);
    }
}

GgufTensor read_tensor(Reader& reader) {
    GgufTensor tensor;
    tensor.name = reader.text(kNameBytesMax, "a tensor name's length");
    if (tensor.name.size() > 63) reader.too_many("a tensor name's length", tensor.name.size(), 63);
    read_shape(reader, tensor);
    const auto type = reader.number<std::uint32_t>();
    tensor.type = tensor_type(type);
    if (tensor.type == nullptr) {
        reader.fail(fmt::format("tensor {} has the unknown type {}", tensor.name, type),
                    fmt::format("텐서 {}의 종류 {}번을 모릅니다", tensor.name, type));
    }
    const std::uint64_t row = tensor.shape.empty() ? 1 : tensor.shape[0];
    const std::uint64_t blocks = tensor.values / tensor.type->block_values;
    if (row % tensor.type->block_values != 0 ||
        blocks > std::numeric_limits<std::uint64_t>::max() / tensor.type->block_bytes) {
        reader.fail(fmt::format("tensor {} has rows of {}, not whole {} blocks", tensor.name, row,
                                tensor.type->name),
                    fmt::format("텐서 {}의 행 길이 {}가 {} 블록에 맞지 않습니다", tensor.name, row,
                                tensor.type->name));
    }
    tensor.bytes = blocks * tensor.type->block_bytes;
    tensor.offset = reader.number<std::uint64_t>();
    return tensor;
}

void place_tensors(const Reader& reader, Gguf& gguf) {
    const std::uint64_t mask = gguf.alignment - 1;
    const std::uint64_t data = (reader.at() + mask) & ~mask;
    std::map<std::string_view, int> seen;
    for (GgufTensor& tensor : gguf.tensors) {
        if (seen[tensor.name]++ > 0) {
            reader.fail(fmt::format("tensor {} stands twice", tensor.name),
                        fmt::format("텐서 {}가 두 번 나옵니다", tensor.name));
        }
        const std::uint64_t room = reader.size() > data ? reader.size() - data : 0;
        const bool misplaced = (tensor.offset & mask) != 0;
        if (misplaced || tensor.offset > room || tensor.bytes > room - tensor.offset) {
            reader.fail(fmt::format("tensor {} ({} bytes at {} of the data) lies outside the file, "
                                    "which may have been cut off",
                                    tensor.name, tensor.bytes, tensor.offset),
                        fmt::format("텐서 {}(데이터 {}번째부터 {}바이트)가 파일 밖에 있습니다. "
                                    "파일이 잘렸을 수 있습니다",
                                    tensor.name, tensor.offset, tensor.bytes));
        }
        tensor.offset += data;
    }
}

}  // namespace

const TensorType* tensor_type(std::uint32_t id) {
    for (const TensorType& type : kTypes) {
        if (type.id == id) return &type;
    }
    return nullptr;
}

std::optional<std::uint64_t> GgufValue::as_unsigned() const {
    const auto positive = [](std::int64_t value) -> std::optional<std::uint64_t> {
        if (value < 0) return std::nullopt;
        return static_cast<std::uint64_t>(value);
    };
    switch (type) {
        case GgufType::kUint8: return read_as<std::uint8_t>(bytes);
        case GgufType::kUint16: return read_as<std::uint16_t>(bytes);
        case GgufType::kUint32: return read_as<std::uint32_t>(bytes);
        case GgufType::kUint64: return read_as<std::uint64_t>(bytes);
        case GgufType::kInt8: return positive(read_as<std::int8_t>(bytes));
        case GgufType::kInt16: return positive(read_as<std::int16_t>(bytes));
        case GgufType::kInt32: return positive(read_as<std::int32_t>(bytes));
        case GgufType::kInt64: return positive(read_as<std::int64_t>(bytes));
        default: return std::nullopt;
    }
}

std::optional<double> GgufValue::as_number() const {
    if (type == GgufType::kFloat32) return read_as<float>(bytes);
    if (type == GgufType::kFloat64) return read_as<double>(bytes);
    if (const auto whole = as_unsigned()) return static_cast<double>(*whole);
    return std::nullopt;
}

std::optional<bool> GgufValue::as_bool() const {
    if (type != GgufType::kBool) return std::nullopt;
    return read_as<std::uint8_t>(bytes) != 0;
}

std::optional<std::string_view> GgufValue::as_text() const {
    if (type != GgufType::kString) return std::nullopt;
    return bytes;
}

const GgufValue* Gguf::find(std::string_view key) const {
    const auto it = values.find(key);
    return it == values.end() ? nullptr : &it->second;
}

std::string Gguf::text(std::string_view key) const {
    const GgufValue* value = find(key);
    return value == nullptr ? std::string() : std::string(value->as_text().value_or(""));
}

std::uint64_t Gguf::number(std::string_view key, std::uint64_t otherwise) const {
    const GgufValue* value = find(key);
    return value == nullptr ? otherwise : value->as_unsigned().value_or(otherwise);
}

Gguf parse_gguf(std::string_view bytes, std::string_view name) {
    Reader reader(bytes, name);
    Gguf gguf;
    const Counts counts = read_head(reader, bytes, gguf);
    read_values(reader, counts.values, gguf);
    for (std::uint64_t i = 0; i < counts.tensors; ++i) {
        gguf.tensors.push_back(read_tensor(reader));
    }
    place_tensors(reader, gguf);
    return gguf;
}

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(path), gguf_(parse_gguf(file_.bytes(), path.filename().string())) {}

}  // namespace jikji::models
