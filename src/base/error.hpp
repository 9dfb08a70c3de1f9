#pragma once
// The one error type of Jikji. Throw for what ends the request; return what is expected.
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace jikji {

enum class ErrorCode {
    kInvalidArgument,  // the caller can fix the request
    kUnauthorized,     // no key, or not one of ours
    kNotFound,
    kModelNotFound,
    kContextLength,  // prompt and answer do not fit the model's context
    kUnsupported,    // a field or value that we know and cannot honour
    kConflict,
    kTooLarge,    // a size limit of ours
    kRejected,    // a file that is not what it claims to be, or that we cannot read
    kOverloaded,  // a limit is reached; trying again later may succeed
    kLoading,     // a model is being loaded; trying again soon will succeed
    kStopping,    // the server is being stopped
    kDiskFull,
    kCancelled,
    kTimeout,   // the time that the caller gave is over
    kInternal,  // our bug or our disk: details go to the log, never to the client
};

/// What stopped a request. `what()` is one sentence that says what was wrong, with the offending
/// value, and what to do: "temperature is 3.5; give a number from 0 to 2". It is English; `korean`
/// says the same in Korean, and is empty where the message is not for people's eyes.
class Error : public std::exception {
public:
    Error(ErrorCode code, std::string message, std::string field = {}, std::string korean = {})
        : code_(code),
          message_(std::move(message)),
          field_(std::move(field)),
          korean_(std::move(korean)) {}

    /// When trying again may succeed, for kOverloaded and kLoading: http sends it as Retry-After.
    Error& retry_after(std::chrono::milliseconds wait) {
        retry_after_ = wait;
        return *this;
    }
    std::optional<std::chrono::milliseconds> retry_after() const noexcept { return retry_after_; }

    ErrorCode code() const noexcept { return code_; }
    const std::string& field() const noexcept { return field_; }  // JSON path, or empty
    const std::string& korean() const noexcept { return korean_.empty() ? message_ : korean_; }
    const char* what() const noexcept override { return message_.c_str(); }

private:
    ErrorCode code_;
    std::string message_;
    std::string field_;
    std::string korean_;
    std::optional<std::chrono::milliseconds> retry_after_;
};

/// Holds for our own bugs only; one request dies with kInternal, not the server.
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
#define JIKJI_CHECK(condition) \
    ((condition) ? void() : ::jikji::check_failed(#condition, __FILE__, __LINE__))

}  // namespace jikji
