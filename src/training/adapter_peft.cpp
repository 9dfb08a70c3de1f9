#include "training/adapter_peft.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <map>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "models/peft_config.hpp"
#include "models/safetensors.hpp"
#include "models/safetensors_writer.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kStart = "base_model.model.model.layers.";

[[noreturn]] void reject(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kRejected, fmt::format("{}: {}", models::kPeftWeights, english),
                "adapter", fmt::format("{}: {}", models::kPeftWeights, korean));
}

/// "self_attn.q_proj"
std::string peft_name_of(Module module) {
    const bool attention = module <= Module::kO;
    return fmt::format("{}.{}", attention ? "self_attn" : "mlp", name_of(module));
}

std::string weight_name(int layer, Module module, char which) {
    return fmt::format("{}{}.{}.lora_{}.weight", kStart, layer, peft_name_of(module), which);
}

/// Heads whose rows lie in another order; 0 where they do not.
int heads_of(const Shape& shape, Module module) {
    if (module == Module::kQ) return shape.heads;
    if (module == Module::kK) return shape.kv_heads;
    return 0;
}

/// Where GGUF's row stands in the order of Hugging Face.
int hugging_face_row(int row, int head) {
    const int in_head = row % head;
    return row - in_head + (in_head % 2) * (head / 2) + in_head / 2;
}

enum class To { kHuggingFace, kGguf };

/// `values`: rows of `rank`; those of q and k put into the other order.
std::vector<float> reorder(std::span<const float> values, const Shape& shape, Module module,
                           int rank, To to) {
    std::vector<float> out(values.begin(), values.end());
    if (heads_of(shape, module) == 0) return out;
    const auto width = static_cast<std::size_t>(rank);
    const int rows = static_cast<int>(values.size() / width);
    for (int row = 0; row < rows; ++row) {
        const int other = hugging_face_row(row, shape.head);
        const int from = to == To::kHuggingFace ? row : other;
        const int target = to == To::kHuggingFace ? other : row;
        std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(from) * rank, width,
                    out.begin() + static_cast<std::ptrdiff_t>(target) * rank);
    }
    return out;
}

void make_empty_folder(const fs::path& folder) {
    std::error_code ignored;
    const bool there = fs::exists(folder, ignored);
    if (there && (!fs::is_directory(folder, ignored) || !fs::is_empty(folder, ignored))) {
        throw Error(ErrorCode::kConflict,
                    fmt::format("{} is there already and not an empty folder; name another with "
                                "--to",
                                printable(folder.string())),
                    "to",
                    fmt::format("{}이(가) 이미 있고 빈 폴더가 아닙니다. --to로 다른 이름을 주세요.",
                                printable(folder.string())));
    }
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) throw_errno(failed.value(), "make", folder);
}

/// Which weight a name means.
struct Place {
    int layer = 0;
    Module module = Module::kQ;
};

[[noreturn]] void unknown(const std::string& name) {
    reject(fmt::format("the weight {} is not one of a llama layer's linear weights; only q_proj, "
                       "k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj can be imported",
                       printable(name)),
           fmt::format("가중치 {}는 llama 층의 선형 가중치가 아닙니다. q_proj, k_proj, v_proj, "
                       "o_proj, gate_proj, up_proj, down_proj만 가져올 수 있습니다",
                       printable(name)));
}

Place place_of(const std::string& name) {
    Place place;
    std::string_view rest = name;
    if (!rest.starts_with(kStart)) unknown(name);
    rest.remove_prefix(kStart.size());
    const char* end = rest.data() + rest.size();
    const auto [stop, error] = std::from_chars(rest.data(), end, place.layer);
    if (error != std::errc() || place.layer < 0) unknown(name);
    for (int m = 0; m < kModules; ++m) {
        place.module = static_cast<Module>(m);
        for (const char which : {'A', 'B'}) {  // also refuses "007" for 7
            if (name == weight_name(place.layer, place.module, which)) return place;
        }
    }
    unknown(name);
}

using Weights = std::map<std::string, models::Weight>;

std::vector<Module> targets_of(const Weights& weights, int layers) {
    bool used[kModules] = {};
    for (const auto& [name, weight] : weights) {
        const Place place = place_of(name);
        if (place.layer >= layers) {
            reject(fmt::format("{} is of layer {}, and the base has {}: it is of another model",
                               name, place.layer, layers),
                   fmt::format("{}는 {}번 층의 것인데 기본 모델은 {}층입니다. 다른 모델의 "
                               "어댑터입니다",
                               name, place.layer, layers));
        }
        used[static_cast<int>(place.module)] = true;
    }
    std::vector<Module> out;
    for (int m = 0; m < kModules; ++m) {
        if (used[m]) out.push_back(static_cast<Module>(m));
    }
    if (out.empty()) reject("it has no weights", "가중치가 없습니다");
    return out;
}

/// Float32 values of a weight of `rows` x `columns`.
std::vector<float> values_of(const std::string& name, const models::Weight& weight, int rows,
                             int columns) {
    const std::vector<std::uint64_t> wanted = {static_cast<std::uint64_t>(rows),
                                               static_cast<std::uint64_t>(columns)};
    if (weight.shape != wanted) {
        reject(fmt::format("{} is {}; with r and this base it should be {} x {}: it is of another "
                           "model, or adapter_config.json is",
                           name, fmt::join(weight.shape, " x "), rows, columns),
               fmt::format("{}의 크기가 {}입니다. 이 기본 모델과 r이면 {} x {}이어야 합니다", name,
                           fmt::join(weight.shape, " x "), rows, columns));
    }
    if (weight.type == models::WeightType::kOther) {
        reject(fmt::format("{} is neither F32, F16 nor BF16", name),
               fmt::format("{}의 형식이 F32, F16, BF16이 아닙니다", name));
    }
    const std::string bytes = models::as_f32(weight);
    std::vector<float> out(weight.values);
    JIKJI_CHECK(bytes.size() == out.size() * sizeof(float));
    std::memcpy(out.data(), bytes.data(), bytes.size());
    if (!std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); })) {
        reject(fmt::format("{} holds a value that is not finite", name),
               fmt::format("{}에 유한하지 않은 값이 있습니다", name));
    }
    return out;
}

void read_pair(const Weights& weights, const Shape& shape, const LoraPair& pair, Lora& lora) {
    const std::string a_name = weight_name(pair.layer, pair.module, 'A');
    const std::string b_name = weight_name(pair.layer, pair.module, 'B');
    const auto a = weights.find(a_name);
    const auto b = weights.find(b_name);
    if (a == weights.end() && b == weights.end()) return;
    if (a == weights.end() || b == weights.end()) {
        const std::string& lacks = a == weights.end() ? a_name : b_name;
        reject(fmt::format("{} is missing", lacks), fmt::format("{}이(가) 없습니다", lacks));
    }
    const int rank = lora.options().rank;
    const std::vector<float> a_values = values_of(a_name, a->second, rank, pair.n_in);
    const std::vector<float> b_values = reorder(values_of(b_name, b->second, pair.n_out, rank),
                                                shape, pair.module, rank, To::kGguf);
    const auto start = lora.values().begin();
    std::copy(a_values.begin(), a_values.end(), start + static_cast<std::ptrdiff_t>(pair.a));
    std::copy(b_values.begin(), b_values.end(), start + static_cast<std::ptrdiff_t>(pair.b));
}

}  // namespace

void export_peft(const fs::path& folder, const AdapterFacts& facts, const Lora& lora,
                 const Shape& shape) {
    make_empty_folder(folder);
    const LoraOptions& options = lora.options();
    models::PeftConfig config;
    config.rank = options.rank;
    config.alpha = options.alpha;
    config.dropout = std::round(options.dropout * 1e6) / 1e6;  // 0.05, not its nearest float
    config.base_name = facts.base_name;
    for (const Module module : options.targets) config.targets.emplace_back(name_of(module));
    const auto rank = static_cast<std::uint64_t>(options.rank);
    std::vector<models::NewWeight> weights;
    for (const LoraPair& pair : lora.pairs()) {
        const auto a = lora.a(pair);
        weights.push_back({weight_name(pair.layer, pair.module, 'A'),
                           {rank, static_cast<std::uint64_t>(pair.n_in)},
                           {a.begin(), a.end()}});
        weights.push_back(
            {weight_name(pair.layer, pair.module, 'B'),
             {static_cast<std::uint64_t>(pair.n_out), rank},
             reorder(lora.b(pair), shape, pair.module, options.rank, To::kHuggingFace)});
    }
    models::write_safetensors(folder / models::kPeftWeights, weights);
    write_file_durably(folder / models::kPeftConfig, models::peft_config_text(config));
}

Lora import_peft(const fs::path& folder, const Shape& shape) {
    const models::PeftConfig config = models::read_peft_config(folder);
    std::error_code missing;
    if (!fs::is_regular_file(folder / models::kPeftWeights, missing)) {
        throw Error(
            ErrorCode::kNotFound,
            fmt::format("{} has no {} (a .bin file can run code and is not read: save it again "
                        "with safe_serialization=True)",
                        printable(folder.string()), models::kPeftWeights),
            "folder",
            fmt::format("{} 폴더에 {}이(가) 없습니다. .bin 파일은 코드를 실행할 수 있어 읽지 "
                        "않으니 safe_serialization=True로 다시 저장하세요.",
                        printable(folder.string()), models::kPeftWeights));
    }
    const models::Safetensors file(folder / models::kPeftWeights);
    LoraOptions options;
    options.rank = config.rank;
    options.alpha = static_cast<float>(config.alpha);
    options.dropout = static_cast<float>(config.dropout);
    options.targets = targets_of(file.weights(), shape.layers);
    Lora lora(shape, options);
    for (const LoraPair& pair : lora.pairs()) read_pair(file.weights(), shape, pair, lora);
    return lora;
}

}  // namespace jikji::training
