#pragma once
// A small blocking HTTP/1.1 client, for our own command line and tests. No TLS: it talks to a
// Jikji server on this machine or on a trusted network.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jikji::http {

struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string header(std::string_view name) const;           // empty if absent
};

struct ClientOptions {
    std::string url = "http://127.0.0.1:8080";  // a path in it (…/v1) comes before every path
    std::string api_key;
    std::string language;               // sent as Accept-Language: "ko" or "en"; empty: none
    std::chrono::seconds timeout{600};  // without one byte from the server
    std::function<bool()> poll;         // about ten times a second; false cancels
};

/// Threads: one at a time. Every call throws Error: kCancelled when poll says so, kInternal when
/// the server cannot be reached, and for a status of 400 or more the server's own message with the
/// ErrorCode that its code stands for.
class Client {
public:
    explicit Client(ClientOptions options);  // throws Error(kInvalidArgument) for a bad URL

    Answer request(std::string_view method, std::string_view path, std::string_view body = {},
                   std::string_view content_type = "application/json");
    /// As request(), but gives back answers of any status.
    Answer request_any(std::string_view method, std::string_view path, std::string_view body = {},
                       std::string_view content_type = "application/json");

    /// Calls on_event with the data of each server-sent event, [DONE] excluded; false from it ends
    /// the stream. An event that is an error object throws.
    void stream(std::string_view method, std::string_view path, std::string_view body,
                const std::function<bool(std::string_view json)>& on_event);

    using Fields = std::vector<std::pair<std::string, std::string>>;
    using OnProgress = std::function<void(std::uint64_t sent, std::uint64_t total)>;
    /// POST of a file as multipart/form-data, read from disk in pieces; the field is `file`.
    Answer upload(std::string_view path, const std::filesystem::path& file, const Fields& fields,
                  const OnProgress& on_progress = {});

private:
    ClientOptions options_;
    std::string host_;
    std::string port_;
    std::string base_path_;
};

}  // namespace jikji::http
