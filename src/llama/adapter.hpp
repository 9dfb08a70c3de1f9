#pragma once
// A LoRA adapter (Hu 2021, arXiv:2106.09685) in memory, for the contexts of one model.
// Products  A and B lie in plain memory, also where the model's own weights are interleaved or on
//           the accelerator's panels: ggml computes theirs, and adds them to what those compute.
// Threads   the one that makes and frees contexts of that model: libllama keeps a list of adapters
//           in the model, which contexts read when they are made.
#include <filesystem>
#include <memory>

#include "llama/model.hpp"

struct llama_adapter_lora;

namespace jikji::llama {

class Adapter {
public:
    /// Requires: the file was checked (engine/adapter_check.hpp); libllama aborts the program on
    /// values of another type than it expects. Throws Error(kRejected) with libllama's own words.
    Adapter(std::shared_ptr<const Model> model, const std::filesystem::path& file);

    llama_adapter_lora* handle() const noexcept { return adapter_.get(); }

private:
    struct Free {
        void operator()(llama_adapter_lora* adapter) const noexcept;
    };
    std::shared_ptr<const Model> model_;
    std::unique_ptr<llama_adapter_lora, Free> adapter_;  // before the model: it stands in its list
};

}  // namespace jikji::llama
