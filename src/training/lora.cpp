#include "training/lora.hpp"

#include <fmt/format.h>

#include <cmath>
#include <random>

#include "base/error.hpp"
#include "base/nearest.hpp"
#include "training/base_model.hpp"

namespace jikji::training {
namespace {

struct Names {
    std::string_view option;
    std::string_view gguf;
};
constexpr std::array<Names, kModules> kNames{{{"q_proj", "attn_q"},
                                              {"k_proj", "attn_k"},
                                              {"v_proj", "attn_v"},
                                              {"o_proj", "attn_output"},
                                              {"gate_proj", "ffn_gate"},
                                              {"up_proj", "ffn_up"},
                                              {"down_proj", "ffn_down"}}};

const Names& names(Module module) { return kNames[static_cast<std::size_t>(module)]; }

std::string all_names() {
    std::string text;
    for (const Names& n : kNames) text += (text.empty() ? "" : ", ") + std::string(n.option);
    return text;
}

[[noreturn]] void refuse_untrainable(std::string_view name) {
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("target {} cannot be adapted (a GGUF adapter of a model whose head is "
                    "its embedding cannot say so); choose from {}",
                    name, all_names()),
        "target",
        fmt::format("{}에는 어댑터를 붙일 수 없습니다. 다음에서 고르세요: {}", name, all_names()));
}

[[noreturn]] void out_of_range(const char* field, const std::string& value, const char* range) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is {}; give {}", field, value, range),
                field, fmt::format("{} 값이 {}입니다. 허용 범위: {}", field, value, range));
}

/// 0 to below 1 from 24 bits, the same on every machine.
float uniform(std::mt19937_64& random) { return static_cast<float>(random() >> 40) * 0x1.0p-24F; }

}  // namespace

std::string_view name_of(Module module) { return names(module).option; }
std::string_view gguf_name_of(Module module) { return names(module).gguf; }

Module module_named(std::string_view name) {
    for (int i = 0; i < kModules; ++i) {
        if (kNames[static_cast<std::size_t>(i)].option == name) return static_cast<Module>(i);
    }
    if (name == "lm_head" || name == "embed_tokens") refuse_untrainable(name);
    std::vector<std::string> known;
    for (const Names& n : kNames) known.emplace_back(n.option);
    const std::string meant = nearest(name, known);
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("there is no target {}; {} from {}", name,
                    meant.empty() ? "choose" : fmt::format("did you mean {}? Choose", meant),
                    all_names()),
        "target",
        fmt::format("{}라는 대상이 없습니다.{} 다음에서 고르세요: {}", name,
                    meant.empty() ? "" : fmt::format(" {}를 뜻하셨나요?", meant), all_names()));
}

void check(const LoraOptions& options) {
    if (options.rank < 1 || options.rank > 256) {
        out_of_range("rank", std::to_string(options.rank), "1..256");
    }
    if (!(options.alpha > 0 && options.alpha <= 1e4F)) {
        out_of_range("alpha", fmt::format("{}", options.alpha), "> 0, <= 10000");
    }
    if (!(options.dropout >= 0 && options.dropout < 1)) {
        out_of_range("dropout", fmt::format("{}", options.dropout), ">= 0, < 1");
    }
    if (options.targets.empty()) out_of_range("target", "empty", all_names().c_str());
}

Lora::Lora(const Shape& shape, LoraOptions options)
    : options_(std::move(options)), index_(static_cast<std::size_t>(shape.layers) * kModules, -1) {
    const auto rank = static_cast<std::size_t>(options_.rank);
    std::size_t at = 0;
    for (int layer = 0; layer < shape.layers; ++layer) {
        for (const Module module : options_.targets) {
            LoraPair pair{layer, module, shape.n_in(module), shape.n_out(module), at, 0};
            pair.b = at + rank * static_cast<std::size_t>(pair.n_in);
            at = pair.b + rank * static_cast<std::size_t>(pair.n_out);
            index_[static_cast<std::size_t>(layer * kModules + static_cast<int>(module))] =
                static_cast<int>(pairs_.size());
            pairs_.push_back(pair);
        }
    }
    values_.resize(at);
}

const LoraPair* Lora::find(int layer, Module module) const {
    const int at = index_[static_cast<std::size_t>(layer * kModules + static_cast<int>(module))];
    return at < 0 ? nullptr : &pairs_[static_cast<std::size_t>(at)];
}

std::span<const float> Lora::a(const LoraPair& pair) const {
    return values().subspan(pair.a, pair.b - pair.a);
}

std::span<const float> Lora::b(const LoraPair& pair) const {
    return values().subspan(
        pair.b, static_cast<std::size_t>(options_.rank) * static_cast<std::size_t>(pair.n_out));
}

void Lora::initialise(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::fill(values_.begin(), values_.end(), 0.0F);
    for (const LoraPair& pair : pairs_) {
        const float bound = 1.0F / std::sqrt(static_cast<float>(pair.n_in));
        for (std::size_t i = pair.a; i < pair.b; ++i) {
            values_[i] = (2 * uniform(random) - 1) * bound;
        }
    }
}

}  // namespace jikji::training
