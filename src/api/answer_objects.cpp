#include "api/answer_objects.hpp"

#include "api/fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

constexpr const char* kDefaultStore = "documents";  // S7

json::value page_json(const knowledge::Place& place) {
    return place.page > 0 ? json::value(place.page) : json::value(nullptr);
}

json::value heading_json(const knowledge::Place& place) {
    return place.heading.empty() ? json::value(nullptr) : json::value(place.heading);
}

void read_store(http::Fields& fields, AnswerCall& out) {
    out.request.collection_id = fields.optional_string("vector_store_id").value_or("");
    const auto name = fields.optional_string("vector_store");
    if (name && !out.request.collection_id.empty()) {
        throw Error(ErrorCode::kInvalidArgument,
                    "vector_store and vector_store_id are both given; give one of them",
                    "vector_store",
                    "vector_store와 vector_store_id가 함께 있습니다. 하나만 보내세요.");
    }
    out.store_named = name.has_value();
    out.store_name = name.value_or(kDefaultStore);
}

}  // namespace

AnswerCall parse_answer(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    http::Fields fields(body);
    AnswerCall out;
    out.request.question = fields.required_string("question");
    check_bytes("question", out.request.question, limits::kQuestionBytes);
    read_store(fields, out);
    out.request.model = fields.optional_string("model").value_or("");
    out.request.prompt = read_prompt(fields);
    out.request.passages = static_cast<int>(
        fields.optional_integer("passages", {1, limits::kSearchResults}).value_or(3));  // S8
    out.request.options = read_sampling(fields);
    out.request.use_cache = read_use_cache(fields, call);
    out.request.caller = read_caller(fields, call);
    out.stream = fields.optional_bool("stream").value_or(false);
    fields.refuse_unknown({"user"});
    return out;
}

json::object place_json(const knowledge::Passage& passage) {
    return {{"page", page_json(passage.place)},
            {"heading", heading_json(passage.place)},
            {"begin", passage.place.begin},
            {"end", passage.place.end},
            {"similarity", passage.similarity}};
}

json::array citations_json(const std::vector<knowledge::Citation>& citations) {
    json::array out;
    for (const knowledge::Citation& citation : citations) {
        out.push_back(json::object{{"index", citation.index},
                                   {"file_id", citation.file_id},
                                   {"filename", citation.filename},
                                   {"page", page_json(citation.place)},
                                   {"heading", heading_json(citation.place)},
                                   {"quote", citation.quote},
                                   {"begin", citation.place.begin},
                                   {"end", citation.place.end},
                                   {"score", citation.score}});
    }
    return out;
}

json::array passages_json(const std::vector<knowledge::Passage>& passages) {
    json::array out;
    for (const knowledge::Passage& passage : passages) {
        out.push_back(json::object{{"file_id", passage.file_id},
                                   {"filename", passage.filename},
                                   {"text", passage.text},
                                   {"score", passage.score},
                                   {"similarity", passage.similarity},
                                   {"page", page_json(passage.place)},
                                   {"heading", heading_json(passage.place)}});
    }
    return out;
}

json::object answer_json(const AnswerHead& head, const service::AnswerStart& start,
                         const service::AnswerEnd& end, const engine::Usage& usage) {
    return {{"id", head.id},
            {"object", "answer"},
            {"created_at", head.created},
            {"model", head.model},
            {"question", start.question},
            {"text", end.text},
            {"found", start.found},
            {"grounded", end.grounded},
            {"groundedness", end.groundedness},
            {"quoted", end.quoted},
            {"citations", citations_json(end.citations)},
            {"passages", passages_json(start.passages)},
            {"usage", usage_json(usage)}};
}

}  // namespace jikji::api
