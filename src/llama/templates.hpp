#pragma once
// A model's chat templates. Private to this folder: the common library's types.
#include <chat.h>

#include "llama/model.hpp"

namespace jikji::llama {

struct Model::Templates {
    common_chat_templates_ptr handle;
};

/// The template applied. Throws Error(kInvalidArgument) if it refuses the messages.
common_chat_params applied(const common_chat_templates* templates,
                           const common_chat_templates_inputs& inputs);

}  // namespace jikji::llama
