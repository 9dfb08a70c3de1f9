#pragma once
// Tools for a template that knows none: they stand in the system message, calls and answers in the
// text. Private to chat_format.cpp.
#include <string>

#include "llama/chat_format.hpp"

namespace jikji::llama {

/// A template in this format, from which the common library makes parser and grammar.
extern const char* const kGenericToolTemplate;

/// The same chat in roles system, user and assistant, without tools.
ChatOptions without_tools(ChatOptions options);

}  // namespace jikji::llama
