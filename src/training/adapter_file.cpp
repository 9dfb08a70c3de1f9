#include "training/adapter_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.hpp"
#include "base/log.hpp"
#include "llama/dequantise.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

using models::Gguf;
using models::GgufTensor;

constexpr std::uint32_t kReadable[] = {models::kF32, models::kF16, 8, 30};  // Q8_0, BF16
constexpr int kRankMost = 256;
constexpr int kLayersMost = 100'000;
constexpr std::size_t kNameBytes = 512;  // of a name that we keep

[[noreturn]] void reject(std::string_view file, const std::string& english,
                         const std::string& korean) {
    throw Error(ErrorCode::kRejected,
                fmt::format("{} is not an adapter that can be used: {}", printable(file), english),
                "adapter",
                fmt::format("{} 파일은 쓸 수 있는 어댑터가 아닙니다: {}", printable(file), korean));
}

/// Which half of which pair a tensor is.
struct Place {
    int layer = 0;
    Module module = Module::kQ;
    bool b = false;
};

bool take(std::string_view& text, std::string_view start) {
    if (!text.starts_with(start)) return false;
    text.remove_prefix(start.size());
    return true;
}

/// "blk.7.attn_q.weight.lora_a"; nothing if it is another name.
std::optional<Place> place_of(std::string_view name) {
    Place place;
    if (!take(name, "blk.")) return std::nullopt;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), place.layer);
    const auto digits = static_cast<std::size_t>(end - name.data());
    const bool odd = error != std::errc() || place.layer < 0 || place.layer >= kLayersMost ||
                     (name[0] == '0' && digits > 1);
    if (odd) return std::nullopt;
    name.remove_prefix(digits);
    if (!take(name, ".")) return std::nullopt;
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const std::string_view module = name.substr(0, dot);
    const std::string_view rest = name.substr(dot);
    place.b = rest == ".weight.lora_b";
    if (!place.b && rest != ".weight.lora_a") return std::nullopt;
    for (int m = 0; m < kModules; ++m) {
        place.module = static_cast<Module>(m);
        if (gguf_name_of(place.module) == module) return place;
    }
    return std::nullopt;
}

struct Halves {
    const GgufTensor* a = nullptr;
    const GgufTensor* b = nullptr;
};
/// By layer, then module.
using Pairs = std::map<std::pair<int, Module>, Halves>;

Pairs pairs_of(const Gguf& gguf, std::string_view file) {
    Pairs pairs;
    for (const GgufTensor& tensor : gguf.tensors) {
        const auto place = place_of(tensor.name);
        if (!place) {
            reject(file,
                   fmt::format("it has a tensor {}, which is no adapted linear weight of a "
                               "llama layer",
                               printable(tensor.name)),
                   fmt::format("텐서 {}는 llama 층의 선형 가중치에 대한 것이 아닙니다",
                               printable(tensor.name)));
        }
        Halves& halves = pairs[{place->layer, place->module}];
        (place->b ? halves.b : halves.a) = &tensor;
    }
    if (pairs.empty()) reject(file, "it has no tensors", "텐서가 없습니다");
    return pairs;
}

/// Throws unless A is n_in x rank and B rank x n_out (fastest first), of a type that we read.
void check_pair(const Halves& halves, std::uint64_t rank, std::string_view file) {
    const GgufTensor* one = halves.a != nullptr ? halves.a : halves.b;
    if (halves.a == nullptr || halves.b == nullptr) {
        reject(file, fmt::format("tensor {} has no partner", one->name),
               fmt::format("텐서 {}의 짝이 없습니다", one->name));
    }
    for (const GgufTensor* tensor : {halves.a, halves.b}) {
        const bool readable = std::find(std::begin(kReadable), std::end(kReadable),
                                        tensor->type->id) != std::end(kReadable);
        if (readable) continue;
        reject(file,
               fmt::format("tensor {} is {}; F32, F16, BF16 and Q8_0 can be read", tensor->name,
                           tensor->type->name),
               fmt::format("텐서 {}의 형식이 {}입니다. F32, F16, BF16, Q8_0만 읽을 수 있습니다",
                           tensor->name, tensor->type->name));
    }
    const auto& a = halves.a->shape;
    const auto& b = halves.b->shape;
    if (a.size() == 2 && b.size() == 2 && a[1] == rank && b[0] == rank) return;
    reject(file,
           fmt::format("tensor {} and its partner do not both have the rank {}, which must be the "
                       "same everywhere",
                       halves.a->name, rank),
           fmt::format("텐서 {}와 그 짝의 랭크가 {}이 아닙니다. 랭크는 모두 같아야 합니다",
                       halves.a->name, rank));
}

int rank_of(const Pairs& pairs, std::string_view file) {
    const Halves& first = pairs.begin()->second;
    const GgufTensor* b = first.b;
    const std::uint64_t rank = b == nullptr || b->shape.empty() ? 0 : b->shape[0];
    if (b != nullptr && (rank < 1 || rank > kRankMost)) {
        reject(file, fmt::format("its rank is {}; 1 to {} can be used", rank, kRankMost),
               fmt::format("랭크가 {}입니다. 1~{}만 쓸 수 있습니다", rank, kRankMost));
    }
    for (const auto& [place, halves] : pairs) check_pair(halves, rank, file);
    return static_cast<int>(rank);
}

/// llama.cpp takes a missing alpha, and 0, for a scale of 1.
float alpha_of(const Gguf& gguf, int rank, std::string_view file) {
    const models::GgufValue* value = gguf.find("adapter.lora.alpha");
    if (value == nullptr) return static_cast<float>(rank);
    const double alpha =
        value->type == models::GgufType::kFloat32 ? value->as_number().value_or(-1) : -1;
    if (alpha == 0) return static_cast<float>(rank);
    if (!(std::isfinite(alpha) && alpha > 0)) {
        reject(file, "adapter.lora.alpha is not a float32 above 0",
               "adapter.lora.alpha가 0보다 큰 float32가 아닙니다");
    }
    return static_cast<float>(alpha);
}

std::optional<double> finite_number(const Gguf& gguf, std::string_view key) {
    const models::GgufValue* value = gguf.find(key);
    const auto number = value == nullptr ? std::nullopt : value->as_number();
    return number && std::isfinite(*number) ? number : std::nullopt;
}

std::string short_text(const Gguf& gguf, std::string_view key, std::string_view file) {
    std::string text = gguf.text(key);
    if (text.size() > kNameBytes) {
        reject(file, fmt::format("{} has {} bytes; {} is the most", key, text.size(), kNameBytes),
               fmt::format("{} 길이가 {}바이트입니다. 최대 {}바이트입니다", key, text.size(),
                           kNameBytes));
    }
    return text;
}

std::string base_sha256_of(const Gguf& gguf, std::string_view file) {
    std::string sha = short_text(gguf, "jikji.base.sha256", file);
    const bool digest =
        sha.size() == 64 && sha.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!sha.empty() && !digest) {
        reject(file, "jikji.base.sha256 is not a sha256", "jikji.base.sha256이 sha256이 아닙니다");
    }
    return sha;
}

void require_adapter(const Gguf& gguf, std::string_view file) {
    if (gguf.text("general.type") != "adapter") {
        reject(file, "general.type is not \"adapter\"; it may be a whole model",
               "general.type이 \"adapter\"가 아닙니다. 모델 파일일 수 있습니다");
    }
    const std::string type = gguf.text("adapter.type");
    if (type != "lora") {
        reject(file, fmt::format("adapter.type is \"{}\"; only lora can be used", printable(type)),
               fmt::format("adapter.type이 \"{}\"입니다. lora만 쓸 수 있습니다", printable(type)));
    }
    if (gguf.find("adapter.alora.invocation_tokens") != nullptr) {
        reject(file, "it is an aLoRA, which works from certain tokens on only",
               "특정 토큰부터만 작동하는 aLoRA입니다");
    }
}

AdapterFacts facts_of(const Gguf& gguf, const Pairs& pairs, std::string_view file) {
    AdapterFacts facts;
    facts.name = short_text(gguf, "general.name", file);
    facts.base_name = short_text(gguf, "jikji.base.name", file);
    facts.base_sha256 = base_sha256_of(gguf, file);
    facts.architecture = short_text(gguf, "general.architecture", file);
    facts.lora.rank = rank_of(pairs, file);
    facts.lora.alpha = alpha_of(gguf, facts.lora.rank, file);
    const double dropout = finite_number(gguf, "jikji.dropout").value_or(0);
    facts.lora.dropout = dropout >= 0 && dropout < 1 ? static_cast<float>(dropout) : 0.0F;
    facts.lora.targets.clear();
    for (int m = 0; m < kModules; ++m) {
        const auto module = static_cast<Module>(m);
        const bool used = std::any_of(pairs.begin(), pairs.end(), [module](const auto& pair) {
            return pair.first.second == module;
        });
        if (used) facts.lora.targets.push_back(module);
    }
    facts.held_out_loss = finite_number(gguf, "jikji.held_out_loss");
    facts.base_loss = finite_number(gguf, "jikji.base_loss");
    return facts;
}

/// Requires: one of the types that check_pair() lets pass.
void values_of(const GgufTensor& tensor, std::string_view bytes, std::span<float> out,
               std::string_view file) {
    const char* from = bytes.data() + tensor.offset;
    if (tensor.type->id == models::kF32) {
        std::memcpy(out.data(), from, out.size_bytes());
    } else {
        llama::to_floats_of(static_cast<int>(tensor.type->id))(
            from, out.data(), static_cast<std::int64_t>(out.size()));
    }
    for (const float value : out) {
        if (std::isfinite(value)) continue;
        reject(file, fmt::format("tensor {} holds a value that is not finite", tensor.name),
               fmt::format("텐서 {}에 유한하지 않은 값이 있습니다", tensor.name));
    }
}

void check_fits(const Halves& halves, const Shape& shape, int layer, Module module,
                std::string_view file) {
    if (layer >= shape.layers) {
        reject(file,
               fmt::format("it adapts layer {}, and the base has {}: it is of another model", layer,
                           shape.layers),
               fmt::format("{}번 층에 대한 것인데 기본 모델은 {}층입니다. 다른 모델의 "
                           "어댑터입니다",
                           layer, shape.layers));
    }
    const auto n_in = static_cast<std::uint64_t>(shape.n_in(module));
    const auto n_out = static_cast<std::uint64_t>(shape.n_out(module));
    if (halves.a->shape[0] == n_in && halves.b->shape[1] == n_out) return;
    reject(file,
           fmt::format("{} is for a weight of {} x {}, and the base's has {} x {}: it is of "
                       "another model",
                       halves.a->name, halves.b->shape[1], halves.a->shape[0], n_out, n_in),
           fmt::format("{}는 {} x {} 가중치에 대한 것인데 기본 모델은 {} x {}입니다. 다른 모델의 "
                       "어댑터입니다",
                       halves.a->name, halves.b->shape[1], halves.a->shape[0], n_out, n_in));
}

std::string bytes_of(std::span<const float> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

void set_facts(models::GgufWriter& out, const AdapterFacts& facts, const LoraOptions& lora) {
    out.set("general.type", "adapter");
    out.set("general.architecture", facts.architecture);
    out.set("general.name", facts.name);
    out.set("adapter.type", "lora");
    out.set_real("adapter.lora.alpha", lora.alpha);
    if (!facts.base_name.empty()) out.set("jikji.base.name", facts.base_name);
    if (!facts.base_sha256.empty()) out.set("jikji.base.sha256", facts.base_sha256);
    std::vector<std::string> targets;
    for (const Module module : lora.targets) targets.emplace_back(name_of(module));
    out.set_texts("jikji.target", targets);
    out.set_number("jikji.rank", static_cast<std::uint32_t>(lora.rank));
    out.set_real("jikji.dropout", lora.dropout);
    const auto loss = [&out](const char* key, const std::optional<double>& value) {
        if (value) out.set_real(key, static_cast<float>(*value));
    };
    loss("jikji.held_out_loss", facts.held_out_loss);
    loss("jikji.base_loss", facts.base_loss);
}

}  // namespace

void write_adapter(const fs::path& file, const AdapterFacts& facts, const Lora& lora) {
    models::GgufWriter out;
    set_facts(out, facts, lora.options());
    const auto rank = static_cast<std::uint64_t>(lora.options().rank);
    for (const LoraPair& pair : lora.pairs()) {
        const std::string name =
            fmt::format("blk.{}.{}.weight.lora_", pair.layer, gguf_name_of(pair.module));
        out.add_tensor(name + "a", {static_cast<std::uint64_t>(pair.n_in), rank}, models::kF32,
                       [&] { return bytes_of(lora.a(pair)); });
        out.add_tensor(name + "b", {rank, static_cast<std::uint64_t>(pair.n_out)}, models::kF32,
                       [&] { return bytes_of(lora.b(pair)); });
    }
    out.write(file);
}

AdapterFacts read_adapter_facts(const fs::path& file) {
    const std::string name = file.filename().string();
    const models::GgufFile gguf(file);
    require_adapter(gguf.gguf(), name);
    return facts_of(gguf.gguf(), pairs_of(gguf.gguf(), name), name);
}

Lora read_adapter(const fs::path& file, const Shape& shape) {
    const std::string name = file.filename().string();
    const models::GgufFile gguf(file);
    require_adapter(gguf.gguf(), name);
    const Pairs pairs = pairs_of(gguf.gguf(), name);
    const AdapterFacts facts = facts_of(gguf.gguf(), pairs, name);
    for (const auto& [place, halves] : pairs) {
        check_fits(halves, shape, place.first, place.second, name);
    }
    Lora lora(shape, facts.lora);
    const std::span<float> all = lora.values();
    for (const auto& [place, halves] : pairs) {
        const LoraPair* pair = lora.find(place.first, place.second);
        JIKJI_CHECK(pair != nullptr);
        values_of(*halves.a, gguf.bytes(), all.subspan(pair->a, lora.a(*pair).size()), name);
        values_of(*halves.b, gguf.bytes(), all.subspan(pair->b, lora.b(*pair).size()), name);
    }
    return lora;
}

void check_base(const AdapterFacts& facts, const std::string& base_sha256,
                std::string_view base_architecture) {
    if (!base_architecture.empty() && facts.architecture != base_architecture) {
        throw Error(
            ErrorCode::kConflict,
            fmt::format("the adapter {} is for models of the architecture {}, and the base "
                        "is {}; give the base that it was trained on",
                        printable(facts.name), printable(facts.architecture), base_architecture),
            "base",
            fmt::format("어댑터 {}는 {} 구조용인데 기본 모델은 {}입니다. 학습에 쓴 기본 "
                        "모델을 주세요.",
                        printable(facts.name), printable(facts.architecture), base_architecture));
    }
    if (facts.base_sha256.empty() || facts.base_sha256 == base_sha256) return;
    throw Error(
        ErrorCode::kConflict,
        fmt::format("the adapter {} was trained on another file of {} (sha256 {}…, this one "
                    "has {}…); use that file, or train again on this one",
                    printable(facts.name), printable(facts.base_name),
                    facts.base_sha256.substr(0, 12), base_sha256.substr(0, 12)),
        "base",
        fmt::format("어댑터 {}는 {}의 다른 파일로 학습했습니다(sha256 {}…, 지금 파일은 "
                    "{}…). 그 파일을 쓰거나 지금 파일로 다시 학습하세요.",
                    printable(facts.name), printable(facts.base_name),
                    facts.base_sha256.substr(0, 12), base_sha256.substr(0, 12)));
}

}  // namespace jikji::training
