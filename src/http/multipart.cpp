#include "http/multipart.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "http/call.hpp"
#include "http/header_value.hpp"

namespace jikji::http {
namespace {

[[noreturn]] void malformed(std::string_view english, std::string_view korean) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the multipart body is malformed: {}", english), "body",
                fmt::format("multipart 본문이 잘못되었습니다: {}", korean));
}

bool boundary_character(char c) {
    static constexpr std::string_view kAlso = "'()+_,-./:=? ";
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kAlso.find(c) != std::string_view::npos;
}

/// A file's name: filename*=UTF-8''… (RFC 5987) before filename="…".
std::optional<std::string> filename_of(const HeaderValue& disposition) {
    static constexpr std::string_view kCharset = "UTF-8''";
    const std::string extended = disposition.parameter("filename*").value_or("");
    if (equal_ignoring_case(std::string_view(extended).substr(0, kCharset.size()), kCharset))
        return percent_decoded(std::string_view(extended).substr(kCharset.size()));
    return disposition.parameter("filename");
}

PartHead part_head_of(std::string_view lines) {
    PartHead head;
    bool named = false;
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find("\r\n"), lines.size());
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(std::min(end + 2, lines.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            malformed("a part's header has no colon", "헤더에 콜론이 없습니다");
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (equal_ignoring_case(name, "content-type")) head.content_type = value;
        if (!equal_ignoring_case(name, "content-disposition")) continue;
        const HeaderValue disposition = parse_header_value(value);
        if (!equal_ignoring_case(disposition.value, "form-data")) continue;
        named = disposition.parameter("name").has_value();
        head.name = disposition.parameter("name").value_or("");
        head.filename = filename_of(disposition);
    }
    if (!named) malformed("a part has no name", "이름이 없는 부분이 있습니다");
    return head;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
    const HeaderValue header = parse_header_value(content_type);
    if (!equal_ignoring_case(header.value, "multipart/form-data")) return std::nullopt;
    std::optional<std::string> boundary = header.parameter("boundary");
    if (!boundary || boundary->empty() || boundary->size() > 70) return std::nullopt;
    if (!std::ranges::all_of(*boundary, boundary_character)) return std::nullopt;
    return boundary;
}

// The buffer starts with the CRLF that the first delimiter may lack (RFC 2046, 5.1.1).
MultipartParser::MultipartParser(std::string_view boundary, PartSink& sink)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(sink), buffer_("\r\n") {}

void MultipartParser::feed(std::string_view bytes) {
    if (state_ == State::kEpilogue) return;  // may hold anything, means nothing
    buffer_ += bytes;
    while (step()) {
    }
}

void MultipartParser::finish() const {
    if (state_ != State::kEpilogue)
        malformed("it ends before its last delimiter", "마지막 구분선 앞에서 끝났습니다");
}

bool MultipartParser::step() {
    switch (state_) {
        case State::kPreamble: return step_preamble();
        case State::kDelimiter: return step_delimiter();
        case State::kHead: return step_head();
        case State::kData: return step_data();
        case State::kEpilogue: break;
    }
    return false;
}

bool MultipartParser::step_preamble() {
    const std::size_t found = buffer_.find(delimiter_);
    if (found == std::string::npos) {
        if (buffer_.size() > kHeadBytes)
            malformed("the boundary does not appear", "구분선이 나오지 않습니다");
        return false;
    }
    buffer_.erase(0, found + delimiter_.size());
    state_ = State::kDelimiter;
    return true;
}

bool MultipartParser::step_delimiter() {
    if (buffer_.size() < 2) return false;
    if (buffer_.starts_with("--")) {
        buffer_.clear();
        state_ = State::kEpilogue;
        return false;
    }
    const std::size_t blanks = std::min(buffer_.find_first_not_of(" \t"), buffer_.size());
    if (blanks > 64) malformed("a delimiter has a long tail", "구분선 뒤가 너무 깁니다");
    if (buffer_.size() < blanks + 2) return false;
    if (buffer_.compare(blanks, 2, "\r\n") != 0)
        malformed("a delimiter does not end its line", "구분선이 줄 끝에서 끝나지 않습니다");
    if (++parts_ > kParts)
        malformed(fmt::format("it has more than {} parts", kParts),
                  fmt::format("부분이 {}개를 넘습니다", kParts));
    buffer_.erase(0, blanks);  // the CRLF stays: a head without lines is CRLF CRLF
    state_ = State::kHead;
    return true;
}

bool MultipartParser::step_head() {
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (std::min(end, buffer_.size()) > kHeadBytes)
        malformed(fmt::format("a part's head is longer than {} bytes", kHeadBytes),
                  fmt::format("부분의 머리가 {}바이트를 넘습니다", kHeadBytes));
    if (end == std::string::npos) return false;
    const PartHead head =
        part_head_of(end < 2 ? std::string_view() : std::string_view(buffer_).substr(2, end - 2));
    buffer_.erase(0, end + 2);  // the CRLF stays: empty data ends with it at once
    sink_.begin(head);
    skip_ = 2;
    state_ = State::kData;
    return true;
}

bool MultipartParser::step_data() {
    const std::size_t found = buffer_.find(delimiter_);
    const bool whole = found != std::string::npos;
    // Without a delimiter, all but what may be the beginning of one is data.
    const std::size_t safe = buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1);
    const std::size_t end = whole ? found : safe;
    const bool some = end > skip_;
    if (some) sink_.data(std::string_view(buffer_).substr(skip_, end - skip_));
    if (!whole) {
        if (some) buffer_.erase(0, end);
        if (some) skip_ = 0;
        return false;
    }
    buffer_.erase(0, found + delimiter_.size());
    sink_.end();
    state_ = State::kDelimiter;
    return true;
}

}  // namespace jikji::http
