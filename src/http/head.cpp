#include "http/head.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "http/header_value.hpp"
#include "http/problem.hpp"

namespace jikji::http {
namespace {

int count(const Head& head, std::string_view name) {
    return static_cast<int>(std::ranges::count_if(
        head.headers.items(), [name](const auto& item) { return item.first == name; }));
}

void require_once(const Head& head, std::string_view name) {
    if (count(head, name) > 1)
        throw malformed_http(fmt::format("{} comes more than once", name),
                             fmt::format("{} 헤더가 여러 번 있습니다", name));
}

/// Two framings, or one that another reader may not know, is how requests are smuggled.
void finish_framing(Head& head) {
    require_once(head, "transfer-encoding");
    require_once(head, "content-length");
    const std::string length = head.header("content-length");  // Beast takes "2, 2"
    if (length.find_first_not_of("0123456789") != length.npos)
        throw malformed_http("Content-Length is no number", "Content-Length가 수가 아닙니다");
    const std::optional<std::string> coding = head.headers.find("transfer-encoding");
    if (!coding) return;
    if (count(head, "content-length") > 0)
        throw malformed_http("it has both Transfer-Encoding and Content-Length",
                             "Transfer-Encoding과 Content-Length가 함께 있습니다");
    if (!equal_ignoring_case(*coding, "chunked") || head.version < 11)
        throw malformed_http("the only Transfer-Encoding is chunked, in HTTP/1.1",
                             "Transfer-Encoding은 HTTP/1.1의 chunked만 됩니다");
    head.chunked = true;
}

/// http://host/path becomes /path; its host must be the Host header's (RFC 9112, 3.2.2).
void strip_authority(Head& head) {
    static constexpr std::string_view kScheme = "http://";
    if (!equal_ignoring_case(std::string_view(head.path).substr(0, kScheme.size()), kScheme))
        return;
    const std::size_t slash = std::min(head.path.find('/', kScheme.size()), head.path.size());
    const std::string authority = head.path.substr(kScheme.size(), slash - kScheme.size());
    if (!equal_ignoring_case(authority, head.header("host")))
        throw malformed_http("the target's host is not the Host header's",
                             "요청 대상의 호스트가 Host 헤더와 다릅니다");
    head.path = slash == head.path.size() ? "/" : head.path.substr(slash);
}

void finish_target(Head& head) {
    const std::size_t mark = std::min(head.target.find('?'), head.target.size());
    head.path = head.target.substr(0, mark);
    head.query = head.target.substr(std::min(mark + 1, head.target.size()));
    strip_authority(head);
    const bool asterisk = head.path == "*" && head.method == "OPTIONS";
    if (!asterisk && !head.path.starts_with('/'))
        throw malformed_http("the target must begin with /", "요청 대상은 /로 시작해야 합니다");
    if (head.target.find('#') != std::string::npos)
        throw malformed_http("the target has a #", "요청 대상에 #이 있습니다");
}

}  // namespace

std::optional<std::size_t> HeadScanner::scan(std::string_view bytes) {
    for (; next_ < bytes.size(); ++next_) {
        const char c = bytes[next_];
        const bool after_cr = next_ > line_start_ && bytes[next_ - 1] == '\r';
        if (c == '\0') throw malformed_http("its head has a NUL", "헤더에 NUL이 있습니다");
        if (after_cr != (c == '\n'))
            throw malformed_http("a line does not end with CR LF", "줄이 CR LF로 끝나지 않습니다");
        if (next_ == line_start_ && lines_ > 0 && (c == ' ' || c == '\t'))
            throw malformed_http("a header is folded", "헤더가 여러 줄로 나뉘어 있습니다");
        if (c != '\n') continue;
        const bool empty = next_ == line_start_ + 1;
        line_start_ = next_ + 1;
        if (empty && lines_ > 0) return line_start_;
        if (++lines_ > kLines)
            throw Problem(431, "headers_too_large",
                          fmt::format("the request has more than {} headers", kLines),
                          fmt::format("헤더가 {}개를 넘습니다.", kLines));
    }
    return std::nullopt;
}

void finish_head(Head& head) {
    require_once(head, "host");
    require_once(head, "authorization");
    require_once(head, "content-type");
    finish_framing(head);
    finish_target(head);
    const std::string connection = head.header("connection");
    head.keep_alive =
        head.version >= 11 ? !has_token(connection, "close") : has_token(connection, "keep-alive");
    const std::string expect = head.header("expect");
    head.expects_continue = equal_ignoring_case(expect, "100-continue");
    if (!expect.empty() && !head.expects_continue)
        throw Problem(417, "expectation_failed", "the only Expect is 100-continue",
                      "Expect는 100-continue만 됩니다.");
    const std::string encoding = head.header("content-encoding");
    if (!encoding.empty() && !equal_ignoring_case(encoding, "identity"))
        throw Problem(415, "unsupported_content_encoding",
                      "compressed bodies are not taken; send it without Content-Encoding",
                      "압축된 본문은 받지 않습니다. Content-Encoding 없이 보내세요.");
}

Pairs parse_query(std::string_view query) {
    Pairs out;
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const std::string_view item = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        if (item.empty()) continue;
        const std::size_t equals = std::min(item.find('='), item.size());
        auto name = percent_decoded(item.substr(0, equals), true);
        auto value = percent_decoded(item.substr(std::min(equals + 1, item.size())), true);
        if (!name || !value)
            throw malformed_http("its query has a broken % escape",
                                 "쿼리에 잘못된 % 표기가 있습니다");
        out.add(*std::move(name), *std::move(value));
    }
    return out;
}

}  // namespace jikji::http
