#pragma once
// The parameters of a tool, made safe for llama.cpp's converter of schemas.
#include <string>

namespace jikji::llama {

/// JSON text to JSON text. Agents send all kinds of schemas, and OpenAI takes them as a hint: what
/// cannot be held is left out, so that the model's arguments may be wider than the schema. Throws
/// Error(kInvalidArgument) if it is no object or a bomb; `field` is the Error's.
std::string tool_schema(const std::string& parameters, const std::string& field);

}  // namespace jikji::llama
