#pragma once
// The body of POST /v1/chat/completions. Threads: any; pure.
#include "http/call.hpp"
#include "service/chat.hpp"

namespace jikji::api {

struct ChatCall {
    service::ChatRequest request;
    bool stream = false;
    bool include_usage = false;
};

/// Throws Error with the field's path; a field that we know and cannot honour is kUnsupported.
ChatCall parse_chat(const http::Call& call);

}  // namespace jikji::api
