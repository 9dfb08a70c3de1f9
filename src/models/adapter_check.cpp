#include "models/adapter_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/error.hpp"
#include "base/log.hpp"

namespace jikji::models {
namespace {

constexpr std::array<std::string_view, 4> kTypes = {"F32", "F16", "BF16", "Q8_0"};

/// Says what is wrong with one file.
class Refusal {
public:
    explicit Refusal(const std::filesystem::path& file) : name_(file.filename().string()) {}

    [[noreturn]] void operator()(const std::string& english, const std::string& korean) const {
        throw Error(ErrorCode::kRejected,
                    fmt::format("the adapter {} cannot be used: {}", printable(name_), english),
                    "adapter",
                    fmt::format("어댑터 {}을(를) 쓸 수 없습니다: {}", printable(name_), korean));
    }

private:
    std::string name_;
};

void check_keys(const Gguf& adapter, const Gguf& base, const Refusal& refuse) {
    if (adapter.text("general.type") != "adapter" || adapter.text("adapter.type") != "lora") {
        refuse("general.type and adapter.type have to be adapter and lora",
               "general.type과 adapter.type이 adapter와 lora여야 합니다");
    }
    if (adapter.architecture() != base.architecture()) {
        refuse(fmt::format("it is for {}, and its base is {}", printable(adapter.architecture()),
                           base.architecture()),
               fmt::format("{}용인데 기반 모델은 {}입니다", printable(adapter.architecture()),
                           base.architecture()));
    }
    const auto* alpha = adapter.find("adapter.lora.alpha");
    if (alpha != nullptr && alpha->type != GgufType::kFloat32) {
        refuse("adapter.lora.alpha is no float32", "adapter.lora.alpha가 float32가 아닙니다");
    }
    if (adapter.find("adapter.alora.invocation_tokens") != nullptr) {
        refuse("it wants to be used from certain tokens on (aLoRA), which is not supported",
               "특정 토큰부터만 쓰는 어댑터(aLoRA)는 지원하지 않습니다");
    }
}

/// Of which weight a tensor is one half; nothing if its name ends otherwise.
std::string_view weight_of(std::string_view name) {
    for (const std::string_view end : {".lora_a", ".lora_b"}) {
        if (name.ends_with(end)) return name.substr(0, name.size() - end.size());
    }
    return {};
}

struct Pair {
    const GgufTensor* a = nullptr;
    const GgufTensor* b = nullptr;
};
using Pairs = std::map<std::string_view, Pair>;  // by the weight's name
using Weights = std::map<std::string_view, const GgufTensor*>;

Pairs pairs_of(const Gguf& adapter, const Refusal& refuse) {
    Pairs out;
    for (const GgufTensor& tensor : adapter.tensors) {
        const std::string_view weight = weight_of(tensor.name);
        const bool matrix = tensor.shape.size() == 2 && tensor.values > 0;
        const bool readable = std::ranges::find(kTypes, tensor.type->name) != kTypes.end();
        if (weight.empty() || !matrix || !readable) {
            refuse(fmt::format("its tensor {} is no .lora_a or .lora_b of two dimensions in F32, "
                               "F16, BF16 or Q8_0",
                               printable(tensor.name)),
                   fmt::format("텐서 {}이(가) F32, F16, BF16, Q8_0의 2차원 .lora_a나 .lora_b가 "
                               "아닙니다",
                               printable(tensor.name)));
        }
        Pair& pair = out[weight];
        (tensor.name.ends_with('a') ? pair.a : pair.b) = &tensor;
    }
    if (out.empty()) refuse("it has no tensors", "텐서가 없습니다");
    return out;
}

// The embedding is out: where it is the output's weight as well, libllama would multiply by halves
// that lie the other way round. NVFP4 it asserts to be without adapters.
bool can_adapt(const GgufTensor& weight) {
    const bool named = weight.name.starts_with("blk.") || weight.name == "output.weight";
    return named && weight.name.ends_with(".weight") && weight.shape.size() == 2 &&
           std::string_view(weight.type->name) != "NVFP4";
}

void check_pair(std::string_view name, const Pair& pair, const Weights& base,
                const Refusal& refuse) {
    if (pair.a == nullptr || pair.b == nullptr) {
        refuse(fmt::format("one half of {} is missing", printable(name)),
               fmt::format("{}의 반쪽이 없습니다", printable(name)));
    }
    const auto weight = base.find(name);
    if (weight == base.end() || !can_adapt(*weight->second)) {
        refuse(fmt::format("its base has no weight {} that could be adapted", printable(name)),
               fmt::format("기반 모델에 조정할 수 있는 가중치 {}이(가) 없습니다", printable(name)));
    }
    const auto &a = pair.a->shape, &b = pair.b->shape, &w = weight->second->shape;
    if (a[0] == w[0] && b[1] == w[1] && a[1] == b[0]) return;
    refuse(fmt::format("A is {} x {} and B {} x {} for {}, which is {} x {}; was it made for "
                       "another base?",
                       a[0], a[1], b[0], b[1], name, w[0], w[1]),
           fmt::format("{}은(는) {} x {}인데 A가 {} x {}, B가 {} x {}입니다. 다른 기반 모델의 "
                       "어댑터인가요?",
                       name, w[0], w[1], a[0], a[1], b[0], b[1]));
}

}  // namespace

bool is_adapter(const Gguf& gguf) { return gguf.text("general.type") == "adapter"; }

void check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base) {
    const Refusal refuse(adapter);
    const GgufFile file(adapter), model(base);
    if (is_adapter(model.gguf())) {
        throw Error(ErrorCode::kRejected, "the base is an adapter itself; name a whole model",
                    "base", "기반 모델로 어댑터를 주었습니다. 모델을 주세요.");
    }
    check_keys(file.gguf(), model.gguf(), refuse);
    Weights weights;
    for (const GgufTensor& tensor : model.gguf().tensors) weights[tensor.name] = &tensor;
    for (const auto& [name, pair] : pairs_of(file.gguf(), refuse)) {
        check_pair(name, pair, weights, refuse);
    }
}

}  // namespace jikji::models
