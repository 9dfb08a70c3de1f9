#pragma once
// What a chat request says about tools and about the form of its answer: `tools`, `tool_choice`,
// `parallel_tool_calls`, `response_format`, `grammar`. Everything throws Error with the field's
// path. Schemas are passed on as JSON text, in the order in which they were written; whether they
// can be honoured is the engine's business. Threads: any; pure.
#include <string>
#include <string_view>

#include "engine/request.hpp"
#include "http/json.hpp"

namespace jikji::api {

/// Fills tools, tool_choice, tool_name, allowed_tools and parallel_tool_calls. The deprecated
/// `functions` and `function_call` are refused.
void read_tools(http::Fields& fields, engine::ChatInput& input);

/// Fills json_object, json_schema or grammar, at most one of them, and none beside tools that may
/// be called: call it after read_tools().
void read_format(http::Fields& fields, engine::ChatInput& input);

/// `type` must be "function"; other kinds that OpenAI has are kUnsupported.
void require_function_type(http::Fields& fields, bool may_be_absent = false);

/// 1 to 64 of a-z, A-Z, 0-9, _ and -, as OpenAI has it.
void check_name(std::string_view path, std::string_view name);

}  // namespace jikji::api
