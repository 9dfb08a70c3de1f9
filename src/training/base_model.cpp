#include "training/base_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <set>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "base/error.hpp"
#include "base/log.hpp"
#include "llama/dequantise.hpp"

namespace jikji::training {
namespace {

using models::Gguf;
using models::GgufTensor;

constexpr const char* kTrainable = "llama (Llama, Mistral, SmolLM2)";
constexpr std::uint64_t kSizeMost = 1 << 20;  // beyond it, products of sizes could overflow
constexpr int kLayersMost = 1000;
constexpr std::uint32_t kQ8_0 = 8;
// ggml's numbers of what can be read: F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K,
// BF16.
constexpr std::uint32_t kReadable[] = {0, 1, 2, 3, 6, 7, kQ8_0, 12, 13, 14, 30};
constexpr const char* kReadableNames =
    "F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K";

[[noreturn]] void unsupported(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kUnsupported, "this model cannot be trained: " + english, "model",
                "이 모델은 학습할 수 없습니다: " + korean);
}

[[noreturn]] void refuse_architecture(const std::string& name) {
    unsupported(
        fmt::format("its architecture is {}; those that can be: {}", printable(name), kTrainable),
        fmt::format("구조가 {}입니다. 학습할 수 있는 구조: {}", printable(name), kTrainable));
}

/// A whole number of 1 to `most` under llama.KEY; `otherwise` if the file does not say.
int size_of(const Gguf& gguf, std::string_view key, std::uint64_t otherwise = 0,
            std::uint64_t most = kSizeMost) {
    const std::string name = fmt::format("llama.{}", key);
    const models::GgufValue* value = gguf.find(name);
    const auto number = value == nullptr ? std::optional(otherwise) : value->as_unsigned();
    if (!number || *number == 0 || *number > most) {
        const std::string found =
            !number ? "not one number" : (value == nullptr ? "missing" : std::to_string(*number));
        unsupported(fmt::format("{} is {}; it has to be 1 to {}", name, found, most),
                    fmt::format("{} 값이 {}입니다. 1~{}이어야 합니다", name, found, most));
    }
    return static_cast<int>(*number);
}

float real_of(const Gguf& gguf, std::string_view key, double otherwise) {
    const models::GgufValue* value = gguf.find(fmt::format("llama.{}", key));
    const double real = value == nullptr ? otherwise : value->as_number().value_or(-1);
    if (!(real > 0 && real < 1e12)) {
        unsupported(fmt::format("llama.{} is {}; it has to be above 0", key, real),
                    fmt::format("llama.{} 값이 {}입니다. 0보다 커야 합니다", key, real));
    }
    return static_cast<float>(real);
}

/// As libllama reads it: linear scaling by a factor, under its present and its former name.
float rope_scale_of(const Gguf& gguf) {
    const std::string kind = gguf.text("llama.rope.scaling.type");
    if (kind == "none") return 1;
    if (!kind.empty() && kind != "linear") {
        unsupported(
            fmt::format("its positions are scaled by {}; training knows none and linear",
                        printable(kind)),
            fmt::format("위치 확장 방식이 {}입니다. none과 linear만 됩니다", printable(kind)));
    }
    const double factor =
        real_of(gguf, "rope.scaling.factor", real_of(gguf, "rope.scale_linear", 1));
    return static_cast<float>(1 / factor);
}

const GgufTensor* find_tensor(const Gguf& gguf, std::string_view name) {
    const auto found = std::find_if(gguf.tensors.begin(), gguf.tensors.end(),
                                    [name](const GgufTensor& t) { return t.name == name; });
    return found == gguf.tensors.end() ? nullptr : &*found;
}

std::string text_of(const std::vector<std::uint64_t>& shape) {
    return fmt::format("{}", fmt::join(shape, " x "));
}

/// Takes tensors out by name, checked; what is left at the end is not of this architecture.
class Tensors {
public:
    explicit Tensors(const models::GgufFile& file) : bytes_(file.bytes()) {
        for (const GgufTensor& tensor : file.gguf().tensors) {
            tensors_.emplace(tensor.name, &tensor);
            left_.insert(tensor.name);
        }
    }

    FrozenMatrix matrix(const std::string& name, int rows, int columns) {
        return {take(name, {static_cast<std::uint64_t>(columns), static_cast<std::uint64_t>(rows)}),
                bytes_};
    }

    std::vector<float> vector(const std::string& name, int size) {
        const GgufTensor& tensor = take(name, {static_cast<std::uint64_t>(size)});
        std::vector<float> out(static_cast<std::size_t>(size));
        FrozenMatrix(tensor, bytes_).read(0, 1, out.data());
        return out;
    }

    bool has(const std::string& name) const { return tensors_.contains(name); }

    void expect_none_left() const {
        if (left_.empty()) return;
        const std::string name = printable(*left_.begin());
        unsupported(fmt::format("it has the tensor {}, which training does not know; those that "
                                "can be trained: {}",
                                name, kTrainable),
                    fmt::format("학습이 모르는 텐서 {}가 있습니다. 학습할 수 있는 구조: {}", name,
                                kTrainable));
    }

private:
    const GgufTensor& take(const std::string& name, const std::vector<std::uint64_t>& shape) {
        const auto found = tensors_.find(name);
        if (found == tensors_.end()) {
            unsupported(fmt::format("the tensor {} is missing", name),
                        fmt::format("텐서 {}가 없습니다", name));
        }
        const GgufTensor& tensor = *found->second;
        if (tensor.shape != shape) {
            unsupported(fmt::format("the tensor {} is {}; it should be {}", name,
                                    text_of(tensor.shape), text_of(shape)),
                        fmt::format("텐서 {}의 크기가 {}입니다. {}이어야 합니다", name,
                                    text_of(tensor.shape), text_of(shape)));
        }
        if (std::find(std::begin(kReadable), std::end(kReadable), tensor.type->id) ==
            std::end(kReadable)) {
            unsupported(fmt::format("the tensor {} is of type {}; those that can be read: {}", name,
                                    tensor.type->name, kReadableNames),
                        fmt::format("텐서 {}의 형식이 {}입니다. 읽을 수 있는 형식: {}", name,
                                    tensor.type->name, kReadableNames));
        }
        left_.erase(tensor.name);
        return tensor;
    }

    std::string_view bytes_;
    std::map<std::string_view, const GgufTensor*, std::less<>> tensors_;
    std::set<std::string_view> left_;
};

void check_heads(const Shape& s) {
    if (static_cast<std::uint64_t>(s.heads) * static_cast<std::uint64_t>(s.head) > kSizeMost) {
        unsupported(
            fmt::format("{} heads of {} values are more than {}", s.heads, s.head, kSizeMost),
            fmt::format("헤드 {}개(값 {}개)는 {}을 넘습니다", s.heads, s.head, kSizeMost));
    }
    if (s.heads % s.kv_heads != 0 || s.head % 2 != 0) {
        unsupported(fmt::format("{} heads of {} values with {} of keys do not go together", s.heads,
                                s.head, s.kv_heads),
                    fmt::format("헤드 {}개(값 {}개)와 키 헤드 {}개가 맞지 않습니다", s.heads,
                                s.head, s.kv_heads));
    }
    if (s.rope_values > s.head || s.rope_values % 2 != 0) {
        unsupported(fmt::format("llama.rope.dimension_count is {}; it has to be even, at most {}",
                                s.rope_values, s.head),
                    fmt::format("llama.rope.dimension_count 값이 {}입니다. {} 이하의 짝수여야 "
                                "합니다",
                                s.rope_values, s.head));
    }
}

void check_factors(const std::vector<float>& factors) {
    if (std::all_of(factors.begin(), factors.end(), [](float f) { return f > 0 && f < 1e12F; }))
        return;
    unsupported("rope_freqs.weight has a value that is not above 0",
                "rope_freqs.weight에 0보다 크지 않은 값이 있습니다");
}

void read_heads(const Gguf& gguf, Shape& s) {
    s.heads = size_of(gguf, "attention.head_count");
    s.kv_heads = size_of(gguf, "attention.head_count_kv", static_cast<std::uint64_t>(s.heads));
    s.head = size_of(gguf, "attention.key_length",
                     static_cast<std::uint64_t>(std::max(s.width / s.heads, 1)));
    const int values = size_of(gguf, "attention.value_length", static_cast<std::uint64_t>(s.head));
    if (values != s.head) {
        unsupported(
            fmt::format("its values have {} numbers a head and its keys {}", values, s.head),
            fmt::format("헤드마다 값이 {}개, 키가 {}개로 서로 다릅니다", values, s.head));
    }
    s.rope_values = size_of(gguf, "rope.dimension_count", static_cast<std::uint64_t>(s.head));
    check_heads(s);
}

}  // namespace

int Shape::n_in(Module module) const {
    if (module == Module::kO) return heads * head;
    return module == Module::kDown ? feed : width;
}

int Shape::n_out(Module module) const {
    switch (module) {
        case Module::kQ: return heads * head;
        case Module::kK:
        case Module::kV: return kv_heads * head;
        case Module::kGate:
        case Module::kUp: return feed;
        default: return width;
    }
}

Shape shape_of(const Gguf& gguf) {
    if (gguf.architecture() != "llama") refuse_architecture(gguf.architecture());
    if (gguf.number("llama.expert_count") > 0) {
        refuse_architecture(
            fmt::format("llama with {} experts", gguf.number("llama.expert_count")));
    }
    Shape s;
    s.layers = size_of(gguf, "block_count", 0, kLayersMost);
    s.width = size_of(gguf, "embedding_length");
    s.feed = size_of(gguf, "feed_forward_length");
    s.context = size_of(gguf, "context_length", 0, 1 << 30);
    s.norm_epsilon = real_of(gguf, "attention.layer_norm_rms_epsilon", 0);
    s.rope_base = real_of(gguf, "rope.freq_base", 10000);
    s.rope_scale = rope_scale_of(gguf);
    s.window = static_cast<int>(
        std::min<std::uint64_t>(gguf.number("llama.attention.sliding_window"), 1 << 30));
    read_heads(gguf, s);
    const GgufTensor* tokens = find_tensor(gguf, "token_embd.weight");
    if (tokens == nullptr || tokens->shape.size() != 2 || tokens->shape[1] > kSizeMost) {
        unsupported("the tensor token_embd.weight is missing or has another shape",
                    "텐서 token_embd.weight가 없거나 크기가 다릅니다");
    }
    s.vocabulary = static_cast<int>(tokens->shape[1]);
    s.tied = find_tensor(gguf, "output.weight") == nullptr;
    return s;
}

FrozenMatrix::FrozenMatrix(const GgufTensor& tensor, std::string_view file)
    : blocks_(file.data() + tensor.offset),
      type_(tensor.type->id),
      row_bytes_(tensor.shape[0] / tensor.type->block_values * tensor.type->block_bytes),
      rows_(tensor.shape.size() > 1 ? static_cast<int>(tensor.shape[1]) : 1),
      columns_(static_cast<int>(tensor.shape[0])) {}

void FrozenMatrix::read(int first, int count, float* out) const {
    const char* from = blocks_ + static_cast<std::size_t>(first) * row_bytes_;
    const std::int64_t values = static_cast<std::int64_t>(count) * columns_;
    if (type_ == models::kF32) {
        std::memcpy(out, from, static_cast<std::size_t>(values) * sizeof(float));
    } else {
        llama::to_floats_of(static_cast<int>(type_))(from, out, values);
    }
}

BaseModel::BaseModel(const std::filesystem::path& file)
    : path_(file),
      file_(std::make_unique<models::GgufFile>(file)),
      shape_(shape_of(file_->gguf())),
      layers_(static_cast<std::size_t>(shape_.layers)) {
    const Shape& s = shape_;
    Tensors tensors(*file_);
    embedding_ = tensors.matrix("token_embd.weight", s.vocabulary, s.width);
    head_ = s.tied ? embedding_ : tensors.matrix("output.weight", s.vocabulary, s.width);
    output_norm_ = tensors.vector("output_norm.weight", s.width);
    if (tensors.has("rope_freqs.weight")) {
        shape_.rope_factors = tensors.vector("rope_freqs.weight", s.rope_values / 2);
        check_factors(shape_.rope_factors);
    }
    for (int i = 0; i < s.layers; ++i) {
        BaseLayer& layer = layers_[static_cast<std::size_t>(i)];
        const std::string prefix = fmt::format("blk.{}.", i);
        layer.attention_norm = tensors.vector(prefix + "attn_norm.weight", s.width);
        layer.feed_norm = tensors.vector(prefix + "ffn_norm.weight", s.width);
        for (int m = 0; m < kModules; ++m) {
            const auto module = static_cast<Module>(m);
            layer.linear[m] =
                tensors.matrix(fmt::format("{}{}.weight", prefix, gguf_name_of(module)),
                               s.n_out(module), s.n_in(module));
        }
    }
    tensors.expect_none_left();
}

void BaseModel::forget() const noexcept {
#ifdef __linux__
    const std::string_view bytes = file_->bytes();
    madvise(const_cast<char*>(bytes.data()), bytes.size(), MADV_DONTNEED);
#endif
}

}  // namespace jikji::training
