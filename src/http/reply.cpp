#include "http/reply.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/log.hpp"
#include "http/call.hpp"

namespace jikji::http {

using namespace std::chrono_literals;

Reply json_reply(const boost::json::value& value, int status) {
    Reply reply;
    reply.status = status;
    reply.body = boost::json::serialize(value);
    return reply;
}

Reply text_reply(std::string text, std::string content_type) {
    Reply reply;
    reply.content_type = std::move(content_type);
    reply.body = std::move(text);
    return reply;
}

Reply file_reply(std::filesystem::path path, std::string content_type, std::string filename) {
    Reply reply;
    reply.content_type = std::move(content_type);
    reply.file = std::move(path);
    if (!filename.empty()) {  // RFC 6266; escaped, so no byte of the name can end the header
        reply.headers.emplace_back("content-disposition",
                                   "attachment; filename*=UTF-8''" + percent_encoded(filename));
    }
    return reply;
}

// No default: a new ErrorCode does not compile (-Werror=switch) until it has a face here.
Face face_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidArgument: return {400, "invalid_request_error", "invalid_argument"};
        case ErrorCode::kUnauthorized: return {401, "invalid_request_error", "invalid_api_key"};
        case ErrorCode::kNotFound: return {404, "invalid_request_error", "not_found"};
        case ErrorCode::kModelNotFound: return {404, "invalid_request_error", "model_not_found"};
        case ErrorCode::kContextLength:
            return {400, "invalid_request_error", "context_length_exceeded"};
        case ErrorCode::kUnsupported:
            return {400, "invalid_request_error", "unsupported_parameter"};
        case ErrorCode::kConflict: return {409, "invalid_request_error", "conflict"};
        case ErrorCode::kTooLarge: return {413, "invalid_request_error", "too_large"};
        case ErrorCode::kRejected: return {422, "invalid_request_error", "rejected"};
        case ErrorCode::kOverloaded: return {429, "rate_limit_error", "overloaded"};
        case ErrorCode::kLoading: return {503, "server_error", "model_loading"};
        case ErrorCode::kStopping: return {503, "server_error", "server_stopping"};
        case ErrorCode::kDiskFull: return {507, "server_error", "storage_full"};
        case ErrorCode::kCancelled: return {499, "cancelled_error", "cancelled"};
        case ErrorCode::kTimeout: return {408, "timeout_error", "timeout"};
        case ErrorCode::kInternal: break;
    }
    return {500, "server_error", "internal"};
}

ErrorParts error_parts(const std::exception& cause, std::string_view request_id,
                       Language language) {
    const auto* known = dynamic_cast<const Error*>(&cause);
    const Face face = face_of(known ? known->code() : ErrorCode::kInternal);
    ErrorParts parts{face.status, cause.what(), face.type, face.code, {}, {}};
    if (face.status == 500) {
        log_error(request_id, cause.what());
        parts.message =
            language == Language::kKorean
                ? fmt::format("내부 오류입니다. 로그에서 요청 {}을(를) 찾아보세요.", request_id)
                : fmt::format("internal error; the log has request {}", request_id);
        return parts;
    }
    if (known) {
        parts.retry_after = known->retry_after();
        parts.param = known->field();
        if (language == Language::kKorean) parts.message = known->korean();
    }
    return parts;
}

std::string error_json(const ErrorParts& parts) {
    boost::json::object error = {
        {"message", parts.message}, {"type", parts.type}, {"param", nullptr}, {"code", parts.code}};
    if (!parts.param.empty()) error["param"] = parts.param;
    return boost::json::serialize(boost::json::object{{"error", std::move(error)}});
}

// Whole seconds for everybody (RFC 9110), and milliseconds for OpenAI's clients, which prefer them.
void add_retry_after(Reply& reply, std::chrono::milliseconds wait) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait);
    reply.headers.emplace_back("retry-after", std::to_string(seconds.count()));
    reply.headers.emplace_back("retry-after-ms", std::to_string(wait.count()));
}

namespace {

/// OpenAI's clients send a request again after these, and ours would only fail the same way: a
/// conflict, for one, is about what is stored, not about who else asks just now.
bool is_final(int status) { return status == 408 || status == 409 || status == 507; }

}  // namespace

Reply error_reply(const ErrorParts& parts) {
    Reply reply;
    reply.status = parts.status;
    reply.body = error_json(parts);
    if (parts.status == 429) add_retry_after(reply, parts.retry_after.value_or(500ms));
    if (parts.status == 503) add_retry_after(reply, parts.retry_after.value_or(2s));
    if (is_final(parts.status)) reply.headers.emplace_back("x-should-retry", "false");
    if (parts.status == 401) reply.headers.emplace_back("www-authenticate", "Bearer");
    return reply;
}

Reply error_reply(const std::exception& cause, std::string_view request_id, Language language) {
    return error_reply(error_parts(cause, request_id, language));
}

}  // namespace jikji::http
