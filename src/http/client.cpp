#include "http/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/client_socket.hpp"
#include "http/sse_reader.hpp"

namespace jikji::http {
namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;

/// A name inside quotes of a part's head, as browsers write it.
std::string quoted_name(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"') out += "%22";
        if (c == '\r') out += "%0D";
        if (c == '\n') out += "%0A";
        if (c != '"' && c != '\r' && c != '\n') out += c;
    }
    return "\"" + out + "\"";
}

std::string head_of(const ClientOptions& options, std::string_view authority,
                    std::string_view method, std::string_view target, std::string_view content_type,
                    std::optional<std::uint64_t> length) {
    std::string out = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", method,
                                  target, authority);
    if (!options.api_key.empty())
        out += fmt::format("authorization: Bearer {}\r\n", options.api_key);
    if (!options.language.empty()) out += fmt::format("accept-language: {}\r\n", options.language);
    if (length)
        out += fmt::format("content-type: {}\r\ncontent-length: {}\r\n", content_type, *length);
    return out + "\r\n";
}

}  // namespace

Client::Client(ClientOptions options) : options_(std::move(options)) {
    static constexpr std::string_view kScheme = "http://";
    const std::string& url = options_.url;
    const auto bad = [&url] {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("url is {}; give one like http://127.0.0.1:8080", url), "url",
            fmt::format("주소 {}이(가) 잘못되었습니다. http://127.0.0.1:8080처럼 쓰세요.", url));
    };
    if (!url.starts_with(kScheme)) bad();
    const std::size_t slash = std::min(url.find('/', kScheme.size()), url.size());
    std::string authority = url.substr(kScheme.size(), slash - kScheme.size());
    base_path_ = url.substr(slash);
    while (base_path_.ends_with('/')) base_path_.pop_back();
    const std::size_t bracket = authority.find(']');
    const std::size_t colon = authority.find(':', bracket == authority.npos ? 0 : bracket);
    host_ = authority.substr(0, colon);
    port_ = colon == authority.npos ? "80" : authority.substr(colon + 1);
    if (host_.empty() || port_.empty() || url.find_first_of(" \r\n") != url.npos) bad();
}

namespace {

std::string bare(const std::string& host) {  // without the brackets of an IPv6 address
    return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

}  // namespace

Answer Client::request_any(std::string_view method, std::string_view path, std::string_view body,
                           std::string_view content_type) {
    ClientSocket socket(options_, bare(host_), port_);
    const bool bodiless = body.empty() && (method == "GET" || method == "HEAD");
    const std::string head =
        head_of(options_, host_ + ":" + port_, method, base_path_ + std::string(path), content_type,
                bodiless ? std::nullopt : std::optional<std::uint64_t>(body.size()));
    if (socket.send(head)) socket.send(body);
    return read_answer(socket, method);
}

Answer Client::request(std::string_view method, std::string_view path, std::string_view body,
                       std::string_view content_type) {
    Answer answer = request_any(method, path, body, content_type);
    throw_for(answer);
    return answer;
}

void Client::stream(std::string_view method, std::string_view path, std::string_view body,
                    const std::function<bool(std::string_view json)>& on_event) {
    ClientSocket socket(options_, bare(host_), port_);
    const std::string head =
        head_of(options_, host_ + ":" + port_, method, base_path_ + std::string(path),
                "application/json", body.size());
    if (socket.send(head)) socket.send(body);
    SseReader reader;
    const auto on_data = [&on_event](std::string_view data) {
        throw_for_event(data);
        return data == "[DONE]" || on_event(data);
    };
    const Answer answer = read_answer(
        socket, method, [&](std::string_view bytes) { return reader.feed(bytes, on_data); });
    throw_for(answer);
}

Answer Client::upload(std::string_view path, const std::filesystem::path& file,
                      const Fields& fields, const OnProgress& on_progress) {
    std::ifstream in(file, std::ios::binary);
    std::error_code failed;
    const std::uint64_t size = std::filesystem::file_size(file, failed);
    if (!in || failed)
        throw Error(ErrorCode::kNotFound, fmt::format("{} cannot be read", file.string()), "file",
                    fmt::format("{} 파일을 읽을 수 없습니다.", file.string()));
    const std::string boundary = "jikji-" + hex(random_bytes(16));
    std::string before;
    for (const auto& [name, value] : fields)
        before += fmt::format("--{}\r\ncontent-disposition: form-data; name={}\r\n\r\n{}\r\n",
                              boundary, quoted_name(name), value);
    before += fmt::format(
        "--{}\r\ncontent-disposition: form-data; name=\"file\"; filename={}\r\n"
        "content-type: application/octet-stream\r\n\r\n",
        boundary, quoted_name(file.filename().string()));
    const std::string after = fmt::format("\r\n--{}--\r\n", boundary);

    ClientSocket socket(options_, bare(host_), port_);
    const std::string head =
        head_of(options_, host_ + ":" + port_, "POST", base_path_ + std::string(path),
                "multipart/form-data; boundary=" + boundary, before.size() + size + after.size());
    bool going = socket.send(head) && socket.send(before);
    std::string piece;
    for (std::uint64_t sent = 0; going && sent < size; sent += piece.size()) {
        piece.resize(std::min<std::uint64_t>(kPieceBytes, size - sent));
        if (!in.read(piece.data(), static_cast<std::streamsize>(piece.size())))
            throw Error(ErrorCode::kInternal, fmt::format("{} became shorter", file.string()));
        going = socket.send(piece);
        if (on_progress) on_progress(sent + piece.size(), size);
    }
    if (going) socket.send(after);
    Answer answer = read_answer(socket, "POST");
    throw_for(answer);
    return answer;
}

}  // namespace jikji::http
