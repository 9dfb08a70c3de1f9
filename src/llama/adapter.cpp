#include "llama/adapter.hpp"

#include <llama.h>

#include <string>

#include "base/error.hpp"
#include "llama/log.hpp"

namespace jikji::llama {

void Adapter::Free::operator()(llama_adapter_lora* adapter) const noexcept {
    llama_adapter_lora_free(adapter);
}

Adapter::Adapter(std::shared_ptr<const Model> model, const std::filesystem::path& file)
    : model_(std::move(model)) {
    forget_errors();
    adapter_.reset(llama_adapter_lora_init(model_->handle(), file.c_str()));
    if (adapter_) return;
    const std::string name = file.filename().string();
    throw Error(ErrorCode::kRejected,
                name + " could not be loaded as an adapter: " + recent_errors(), {},
                name + " 어댑터를 불러오지 못했습니다: " + recent_errors());
}

}  // namespace jikji::llama
