#include "models/peft_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <system_error>

#include "base/error.hpp"
#include "base/log.hpp"
#include "models/json_file.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr std::uint64_t kRankMost = 256;
constexpr double kAlphaMost = 1e4;

// Each changes what the two matrices mean, or adds weights to them.
constexpr const char* kNotPlain[] = {
    "use_dora",
    "use_qalora",
    "use_bdlora",
    "lora_bias",
    "fan_in_fan_out",
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "layer_replication",
    "target_parameters",
    "arrow_config",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "kasa_config",
    "lora_ga_config",
    "corda_config",
};
// Starts that subtract from the base's weights what they put into the adapter.
constexpr const char* kStartsThatChangeTheBase[] = {"pissa", "olora", "corda", "loftq", "lora_ga"};

[[noreturn]] void reject(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kRejected, fmt::format("{}: {}", kPeftConfig, english), "adapter",
                fmt::format("{}: {}", kPeftConfig, korean));
}

[[noreturn]] void unsupported(std::string_view option, const std::string& value) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{} sets {} to {}; only plain LoRA can be imported: merge it into its "
                            "base with PEFT, or train without that option",
                            kPeftConfig, option, printable(value)),
                std::string(option),
                fmt::format("{}에서 {} 값이 {}입니다. 일반 LoRA만 가져올 수 있습니다. PEFT로 기본 "
                            "모델에 병합하거나 그 옵션 없이 학습하세요.",
                            kPeftConfig, option, printable(value)));
}

std::string shown(const json::value& value) {
    const std::string text = json::serialize(value);
    return text.size() > 80 ? text.substr(0, 77) + "..." : text;
}

bool is_set(const json::value& value) {
    if (value.is_null()) return false;
    if (value.is_bool()) return value.get_bool();
    if (value.is_array()) return !value.get_array().empty();
    if (value.is_object()) return !value.get_object().empty();
    return true;
}

void refuse_more_than_plain(const json::object& config) {
    for (const char* option : kNotPlain) {
        const json::value* value = config.if_contains(option);
        if (value != nullptr && is_set(*value)) unsupported(option, shown(*value));
    }
    const std::string bias = text_of(config, "bias", "none");
    if (bias != "none") unsupported("bias", bias);
    const std::string start = text_of(config, "init_lora_weights");
    for (const char* changes : kStartsThatChangeTheBase) {
        if (start.starts_with(changes)) unsupported("init_lora_weights", start);
    }
}

double alpha_of(const json::object& config, int rank) {
    const double alpha = real_of(config, "lora_alpha", 8);
    if (!(alpha > 0 && alpha <= kAlphaMost)) {
        reject(
            fmt::format("lora_alpha is {}; above 0 and up to {} can be used", alpha, kAlphaMost),
            fmt::format("lora_alpha가 {}입니다. 0보다 크고 {} 이하여야 합니다", alpha, kAlphaMost));
    }
    return flag_of(config, "use_rslora", false) ? alpha * std::sqrt(rank) : alpha;
}

}  // namespace

PeftConfig read_peft_config(const fs::path& folder) {
    std::error_code missing;
    if (!fs::is_regular_file(folder / kPeftConfig, missing)) {
        throw Error(ErrorCode::kNotFound,
                    fmt::format("{} has no {}; give the folder that PEFT's save_pretrained() wrote",
                                printable(folder.string()), kPeftConfig),
                    "folder",
                    fmt::format("{} 폴더에 {}이(가) 없습니다. PEFT의 save_pretrained()가 만든 "
                                "폴더를 주세요.",
                                printable(folder.string()), kPeftConfig));
    }
    const json::object config = read_json_file(folder / kPeftConfig);
    const std::string type = text_of(config, "peft_type");
    if (type.empty()) reject("it has no peft_type", "peft_type이 없습니다");
    if (type != "LORA") unsupported("peft_type", type);
    refuse_more_than_plain(config);
    const std::uint64_t rank = number_of(config, "r");
    if (rank < 1 || rank > kRankMost) {
        reject(fmt::format("r is {}; 1 to {} can be used", rank, kRankMost),
               fmt::format("r이 {}입니다. 1~{}만 쓸 수 있습니다", rank, kRankMost));
    }
    PeftConfig out;
    out.rank = static_cast<int>(rank);
    out.alpha = alpha_of(config, out.rank);
    const double dropout = real_of(config, "lora_dropout", 0);
    out.dropout = dropout >= 0 && dropout < 1 ? dropout : 0;
    out.base_name = text_of(config, "base_model_name_or_path");
    return out;
}

std::string peft_config_text(const PeftConfig& config) {
    json::value alpha = config.alpha;
    if (config.alpha == std::floor(config.alpha)) alpha = static_cast<std::int64_t>(config.alpha);
    json::array targets(config.targets.begin(), config.targets.end());
    const json::object out = {
        {"peft_type", "LORA"},
        {"task_type", "CAUSAL_LM"},
        {"base_model_name_or_path",
         config.base_name.empty() ? json::value(nullptr) : json::value(config.base_name)},
        {"r", config.rank},
        {"lora_alpha", std::move(alpha)},
        {"lora_dropout", config.dropout},
        {"target_modules", std::move(targets)},
        {"bias", "none"},
        {"fan_in_fan_out", false},
        {"inference_mode", true},
        {"init_lora_weights", true},
        {"modules_to_save", nullptr},
        {"use_dora", false},
        {"use_rslora", false},
    };
    return json::serialize(out) + "\n";
}

}  // namespace jikji::models
