#include "api/vector_store_objects.hpp"

#include "api/fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

using http::Fields;

constexpr std::size_t kStoreNameBytes = 1024;
constexpr std::size_t kFilesAtOnce = 500;
constexpr std::size_t kQueries = 16;

constexpr Reason kNoExpiry{"vector stores stay until they are deleted; leave it out",
                           "벡터 저장소는 지울 때까지 남습니다. 빼고 보내세요"};

std::optional<std::string> read_name(Fields& fields) {
    auto name = fields.optional_string("name");
    if (name) check_bytes("name", *name, kStoreNameBytes);
    return name;
}

std::vector<std::string> read_queries(Fields& fields) {
    const json::value& query = fields.required("query");
    std::vector<std::string> out;
    if (query.is_string()) {
        out.emplace_back(query.get_string());
    } else if (query.is_array()) {
        out = *fields.optional_strings("query", kQueries);
    } else {
        http::wrong_value("query", query, "a string or a list of strings",
                          "문자열이나 문자열 목록");
    }
    for (const std::string& text : out) check_bytes("query", text, limits::kQuestionBytes);
    const bool empty = out.empty() || out.front().empty();
    if (empty)
        throw Error(ErrorCode::kInvalidArgument, "query is empty; say what to look for", "query",
                    "query가 비어 있습니다. 찾을 말을 넣어 주세요.");
    return out;
}

double read_threshold(Fields& fields) {
    auto ranking = fields.optional_object("ranking_options");
    if (!ranking) return 0;
    ranking->optional_choice("ranker", {"auto", "none", "default-2024-11-15"});
    const double score = ranking->optional_number("score_threshold", {0, 1}).value_or(0);
    ranking->refuse_unknown();
    return score;
}

}  // namespace

json::object vector_store_json(const service::Collection& store) {
    json::object metadata;
    for (const auto& [key, value] : store.metadata) metadata[key] = value;
    const service::FileCounts& files = store.files;
    json::object counts = {{"in_progress", files.in_progress},
                           {"completed", files.completed},
                           {"failed", files.failed},
                           {"cancelled", files.cancelled},
                           {"total", files.total}};
    return {{"id", store.id},
            {"object", "vector_store"},
            {"created_at", store.created_at},
            {"name", store.name},
            {"usage_bytes", store.usage_bytes},
            {"file_counts", std::move(counts)},
            {"status", files.in_progress > 0 ? "in_progress" : "completed"},
            {"expires_at", nullptr},
            {"last_active_at", store.last_active_at},
            {"metadata", std::move(metadata)}};
}

json::object attributes_json(const std::map<std::string, service::Attribute>& attributes) {
    json::object out;
    for (const auto& [key, value] : attributes)
        std::visit([&out, &name = key](const auto& held) { out[name] = held; }, value);
    return out;
}

json::object vector_store_file_json(const service::CollectionFile& file, Language language) {
    json::object sizes = {{"max_chunk_size_tokens", file.chunk_tokens},
                          {"chunk_overlap_tokens", file.chunk_overlap}};
    json::object out = {{"id", file.file_id},
                        {"object", "vector_store.file"},
                        {"created_at", file.created_at},
                        {"usage_bytes", file.usage_bytes},
                        {"vector_store_id", file.collection_id},
                        {"status", file.status},
                        {"last_error", nullptr},
                        {"chunking_strategy", {{"type", "static"}, {"static", std::move(sizes)}}},
                        {"attributes", attributes_json(file.attributes)},
                        {"filename", file.filename},  // extensions, from here on
                        {"chunks", file.chunks},
                        {"progress", file.status == "completed" ? 1.0 : file.progress}};
    if (!file.error_code.empty()) {
        const bool korean = language == Language::kKorean && !file.error_korean.empty();
        out["last_error"] = {{"code", file.error_code},
                             {"message", korean ? file.error_korean : file.error_message}};
    }
    return out;
}

NewStore parse_new_store(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    NewStore out;
    out.name = read_name(fields).value_or("");
    out.metadata = read_metadata(fields);
    out.file_ids = fields.optional_strings("file_ids", kFilesAtOnce).value_or(out.file_ids);
    out.chunking = read_chunking(fields);
    refuse(fields, "expires_after", kNoExpiry);
    fields.refuse_unknown();
    return out;
}

StoreChange parse_store_change(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    StoreChange out;
    out.name = read_name(fields);
    if (fields.has("metadata")) out.metadata = read_metadata(fields);
    refuse(fields, "expires_after", kNoExpiry);
    fields.refuse_unknown();
    return out;
}

Attachment parse_attachment(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    Attachment out;
    out.file_id = fields.required_string("file_id");
    out.attributes = read_attributes(fields);
    out.chunking = read_chunking(fields);
    fields.refuse_unknown();
    return out;
}

service::SearchRequest parse_search(const http::Call& call) {
    const json::object body = http::parse_object(call.body);
    Fields fields(body);
    service::SearchRequest out;
    out.queries = read_queries(fields);
    out.results_max = static_cast<int>(
        fields.optional_integer("max_num_results", {1, limits::kSearchResults}).value_or(10));
    out.score_min = read_threshold(fields);
    if (fields.optional_bool("rewrite_query").value_or(false))
        throw_unsupported("rewrite_query", {"the query is searched as it is; give false",
                                            "질문을 그대로 찾습니다. false로 보내세요"});
    refuse(fields, "filters",
           {"filters come in a later release; leave them out", "필터는 다음 판에서 됩니다"});
    fields.refuse_unknown();
    out.caller = read_caller(call);
    return out;
}

}  // namespace jikji::api
