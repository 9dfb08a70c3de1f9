#pragma once
// What a handler answers, and the face that errors have to clients (OpenAI's error object).
#include <boost/json/fwd.hpp>
#include <chrono>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/language.hpp"

namespace jikji::http {

struct Reply {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::optional<std::filesystem::path> file;  // streamed from disk instead of `body`
};

Reply json_reply(const boost::json::value& value, int status = 200);
Reply text_reply(std::string text, std::string content_type = "text/plain; charset=utf-8");
/// The file is opened when the reply is sent; one that is gone by then becomes 404.
Reply file_reply(std::filesystem::path path, std::string content_type, std::string filename = {});

struct Face {
    int status;
    const char* type;  // OpenAI's error.type
    const char* code;  // what a client may switch on; never renamed
};

/// The one table from our codes to HTTP.
Face face_of(ErrorCode code);

/// The four strings of an error object. `param` is empty where JSON says null.
struct ErrorParts {
    int status = 500;
    std::string message;
    std::string type;
    std::string code;
    std::string param;
    std::optional<std::chrono::milliseconds> retry_after;
};

/// Details of internal errors go to the log under the request id, never into the message.
ErrorParts error_parts(const std::exception& cause, std::string_view request_id, Language language);
/// {"error": {"message", "type", "param", "code"}} as text: a reply's body, or a stream's last
/// event.
std::string error_json(const ErrorParts& parts);
Reply error_reply(const std::exception& cause, std::string_view request_id, Language language);
/// For errors of the protocol itself, which have no ErrorCode: 405, 408, 415, 421, 431, …
Reply error_reply(const ErrorParts& parts);

}  // namespace jikji::http
