#pragma once
// The body of POST /v1/completions. Threads: any; pure.
#include "http/call.hpp"
#include "service/chat.hpp"

namespace jikji::api {

struct CompletionCall {
    service::CompletionRequest request;
    bool echo = false;  // the prompt stands before its completion
    bool stream = false;
    bool include_usage = false;
};

/// Throws Error with the field's path; a field that we know and cannot honour is kUnsupported.
CompletionCall parse_completion(const http::Call& call);

}  // namespace jikji::api
