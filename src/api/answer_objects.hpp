#pragma once
// Passages, citations and answers as JSON, and the body of POST /v1/answers. Threads: any; pure.
#include <optional>
#include <string>

#include "api/objects.hpp"
#include "http/call.hpp"
#include "service/answer.hpp"

namespace jikji::api {

struct AnswerCall {
    service::AnswerRequest request;  // collection_id is empty unless the body gave it
    std::string store_name;          // else: the name to look for
    bool store_named = false;        // the body gave the name; else it is the default
    bool stream = false;
};
AnswerCall parse_answer(const http::Call& call);

/// {"page", "heading", "begin", "end", "similarity"}
json::object place_json(const knowledge::Passage& passage);
json::array citations_json(const std::vector<knowledge::Citation>& citations);
json::array passages_json(const std::vector<knowledge::Passage>& passages);

struct AnswerHead {
    std::string id;  // answer_…
    std::int64_t created = 0;
    std::string model;
};

json::object answer_json(const AnswerHead& head, const service::AnswerStart& start,
                         const service::AnswerEnd& end, const engine::Usage& usage);

}  // namespace jikji::api
