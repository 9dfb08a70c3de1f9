#pragma once
// Prompt templates (S5) as JSON and back. Threads: any; pure.
#include "api/objects.hpp"
#include "http/call.hpp"
#include "service/prompt_library.hpp"

namespace jikji::api {

json::object prompt_json(const prompts::Template& prompt);
prompts::Template parse_prompt(const http::Call& call);
prompts::TemplateChange parse_prompt_change(const http::Call& call);

}  // namespace jikji::api
