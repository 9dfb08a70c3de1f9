#pragma once
// Private to http: what is wrong with a request as HTTP, before any handler sees it.
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "http/reply.hpp"

namespace jikji::http {

/// A refusal with a status that no ErrorCode has. The connection is closed after it unless the
/// body was read.
class Problem : public std::exception {
public:
    Problem(int status, std::string code, std::string message, std::string korean)
        : status_(status),
          code_(std::move(code)),
          message_(std::move(message)),
          korean_(std::move(korean)) {}

    Problem with_header(std::string name, std::string value) && {
        headers_.emplace_back(std::move(name), std::move(value));
        return std::move(*this);
    }
    const char* what() const noexcept override { return message_.c_str(); }
    int status() const { return status_; }

    Reply reply(Language language) const {
        const bool ours = status_ >= 500;
        Reply out = error_reply(ErrorParts{status_,
                                           language == Language::kKorean ? korean_ : message_,
                                           ours ? "server_error" : "invalid_request_error",
                                           code_,
                                           {}});
        out.headers.insert(out.headers.end(), headers_.begin(), headers_.end());
        return out;
    }

private:
    int status_;
    std::string code_;
    std::string message_;
    std::string korean_;
    std::vector<std::pair<std::string, std::string>> headers_;
};

/// 400: not HTTP as RFC 9112 wants it.
inline Problem malformed_http(std::string why, std::string korean) {
    return {400, "malformed_request", "the request is malformed: " + std::move(why),
            "잘못된 요청입니다: " + std::move(korean)};
}

}  // namespace jikji::http
