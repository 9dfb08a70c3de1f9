#include "models/adapter_check.hpp"

#include <fmt/format.h>

#include <map>
#include <string>

#include "base/error.hpp"
#include "base/log.hpp"

namespace jikji::models {
namespace {

constexpr std::uint32_t kF16 = 1, kBf16 = 30;  // ggml's numbers

using Tensors = std::map<std::string_view, const GgufTensor*>;

[[noreturn]] void reject(std::string_view file, const std::string& english,
                         const std::string& korean) {
    throw Error(
        ErrorCode::kRejected,
        fmt::format("the adapter {} cannot be used with this base: {}", printable(file), english),
        "adapter",
        fmt::format("어댑터 {}는 이 기본 모델과 쓸 수 없습니다: {}", printable(file), korean));
}

Tensors by_name(const Gguf& gguf) {
    Tensors out;
    for (const GgufTensor& tensor : gguf.tensors) out[tensor.name] = &tensor;
    return out;
}

void check_kind(const Gguf& adapter, const Gguf& base, std::string_view file) {
    if (is_adapter(base)) {
        throw Error(ErrorCode::kRejected, "the base is an adapter itself; name a whole model",
                    "base", "기본 모델로 어댑터를 주었습니다. 모델을 주세요.");
    }
    if (adapter.text("adapter.type") != "lora") {
        reject(file, "its adapter.type is not \"lora\"", "adapter.type이 \"lora\"가 아닙니다");
    }
    const GgufValue* alpha = adapter.find("adapter.lora.alpha");
    if (alpha != nullptr && alpha->type != GgufType::kFloat32) {  // llama.cpp would abort
        reject(file, "its adapter.lora.alpha is not a float32",
               "adapter.lora.alpha가 float32가 아닙니다");
    }
    if (adapter.find("adapter.alora.invocation_tokens") != nullptr) {
        reject(file, "it is an aLoRA, which works from certain tokens on only",
               "특정 토큰부터만 작동하는 aLoRA입니다");
    }
    const std::string theirs = adapter.architecture(), ours = base.architecture();
    if (theirs == ours) return;
    reject(file,
           fmt::format("it is of the architecture {}, the base of {}", printable(theirs),
                       printable(ours)),
           fmt::format("어댑터 구조는 {}, 기본 모델 구조는 {}입니다", printable(theirs),
                       printable(ours)));
}

/// "blk.0.attn_q.weight" of "blk.0.attn_q.weight.lora_a"; empty if it is no such name.
std::string_view weight_of(std::string_view tensor, std::string_view end) {
    if (!tensor.ends_with(end)) return {};
    return tensor.substr(0, tensor.size() - end.size());
}

/// A maps n_in to the rank, B the rank to n_out; an embedding's A has a row for each token.
bool shapes_fit(const GgufTensor& a, const GgufTensor& b, const GgufTensor& weight) {
    if (a.shape.size() != 2 || b.shape.size() != 2 || weight.shape.size() != 2) return false;
    if (weight.name == "token_embd.weight") {
        return a.shape[0] == b.shape[0] && a.shape[1] == weight.shape[1] &&
               b.shape[1] == weight.shape[0];
    }
    return a.shape[1] == b.shape[0] && a.shape[0] == weight.shape[0] &&
           b.shape[1] == weight.shape[1];
}

void check_type(const GgufTensor& tensor, std::string_view file) {
    if (tensor.type->id == kF32 || tensor.type->id == kF16 || tensor.type->id == kBf16) return;
    reject(file,
           fmt::format("its tensor {} is {}; F32, F16 and BF16 can be read", tensor.name,
                       tensor.type->name),
           fmt::format("텐서 {}의 형식이 {}입니다. F32, F16, BF16만 읽을 수 있습니다", tensor.name,
                       tensor.type->name));
}

void check_tensor(const GgufTensor& tensor, const Tensors& ours, const Tensors& base,
                  std::string_view file) {
    const bool is_a = tensor.name.ends_with(".lora_a");
    const std::string_view weight = weight_of(tensor.name, is_a ? ".lora_a" : ".lora_b");
    if (weight.empty()) {
        reject(file,
               fmt::format("its tensor {} is neither .lora_a nor .lora_b", printable(tensor.name)),
               fmt::format("텐서 {}가 .lora_a도 .lora_b도 아닙니다", printable(tensor.name)));
    }
    const auto partner = ours.find(std::string(weight) + (is_a ? ".lora_b" : ".lora_a"));
    if (partner == ours.end()) {
        reject(file, fmt::format("its tensor {} has no partner", tensor.name),
               fmt::format("텐서 {}의 짝이 없습니다", tensor.name));
    }
    const auto of = base.find(weight);
    if (of == base.end()) {
        reject(file,
               fmt::format("the base has no tensor {}: it is of another model", printable(weight)),
               fmt::format("기본 모델에 텐서 {}가 없습니다. 다른 모델의 어댑터입니다",
                           printable(weight)));
    }
    check_type(tensor, file);
    const GgufTensor& a = is_a ? tensor : *partner->second;
    const GgufTensor& b = is_a ? *partner->second : tensor;
    if (shapes_fit(a, b, *of->second)) return;
    reject(file,
           fmt::format("the shapes of {} do not fit the base's: it is of another model", weight),
           fmt::format("{}의 크기가 기본 모델과 맞지 않습니다. 다른 모델의 어댑터입니다", weight));
}

}  // namespace

bool is_adapter(const Gguf& gguf) { return gguf.text("general.type") == "adapter"; }

void check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base) {
    const std::string file = adapter.filename().string();
    const GgufFile theirs(adapter);
    const GgufFile ours(base);
    check_kind(theirs.gguf(), ours.gguf(), file);
    if (theirs.gguf().tensors.empty()) reject(file, "it has no tensors", "텐서가 없습니다");
    const Tensors adapted = by_name(theirs.gguf());
    const Tensors weights = by_name(ours.gguf());
    for (const auto& [name, tensor] : adapted) check_tensor(*tensor, adapted, weights, file);
}

}  // namespace jikji::models
