#pragma once
// What an AnswerParser holds. Private to this folder: the common library's types.
#include <chat.h>

#include "llama/answer_parser.hpp"

namespace jikji::llama {

struct AnswerParser::Format {
    common_chat_parser_params params;
};

}  // namespace jikji::llama
