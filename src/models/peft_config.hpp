#pragma once
// adapter_config.json of Hugging Face's PEFT: what it says of a plain LoRA adapter. Threads: any.
#include <filesystem>
#include <string>
#include <vector>

namespace jikji::models {

inline constexpr const char* kPeftConfig = "adapter_config.json";
inline constexpr const char* kPeftWeights = "adapter_model.safetensors";

struct PeftConfig {
    int rank = 0;
    double alpha = 0;  // scale is alpha / rank; for use_rslora (alpha / sqrt(rank)) made so
    double dropout = 0;
    std::vector<std::string> targets;  // "q_proj"; on reading empty, as the weights say it
    std::string base_name;             // base_model_name_or_path
};

/// Throws Error(kNotFound) if the folder lacks the file; Error(kRejected) if it is damaged or says
/// nothing of a LoRA; Error(kUnsupported) that names the option, for what is more than plain LoRA:
/// DoRA, biases, whole modules, ranks by module, starts that change the base (PiSSA) and the like.
PeftConfig read_peft_config(const std::filesystem::path& folder);

/// The file's text, as PEFT reads it.
std::string peft_config_text(const PeftConfig& config);

}  // namespace jikji::models
