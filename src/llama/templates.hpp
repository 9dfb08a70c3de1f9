#pragma once
// A model's chat templates. Private to this folder: the common library's types.
#include <chat.h>

#include "llama/model.hpp"

namespace jikji::llama {

struct Model::Templates {
    common_chat_templates_ptr handle;
};

}  // namespace jikji::llama
