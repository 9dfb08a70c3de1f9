#include "http/gate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/header_value.hpp"
#include "http/multipart.hpp"
#include "http/problem.hpp"

namespace jikji::http {
namespace {

bool host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool is_port(std::string_view text) {
    return !text.empty() && text.size() <= 5 &&
           std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

[[noreturn]] void bad_host() {
    throw Problem(400, "invalid_host",
                  "the Host header is missing or is no host; send the server's name",
                  "Host 헤더가 없거나 호스트 이름이 아닙니다. 서버의 이름을 보내세요.");
}

bool writes(const Head& head) {
    return head.method != "GET" && head.method != "HEAD" && head.method != "OPTIONS";
}

bool is_json_type(std::string_view content_type) {
    const std::string type = lower(parse_header_value(content_type).value);
    return type == "application/json" || (type.find('/') != type.npos && type.ends_with("+json"));
}

}  // namespace

std::string host_name(std::string_view host) {
    std::string name = lower(host);
    std::string_view rest;
    if (name.starts_with('[')) {
        const std::size_t end = name.find(']');
        if (end == std::string::npos) bad_host();
        const std::string_view inner = std::string_view(name).substr(1, end - 1);
        const auto valid = [](char c) { return c == ':' || host_character(c); };
        if (inner.empty() || !std::ranges::all_of(inner, valid)) bad_host();
        rest = std::string_view(name).substr(end + 1);
    } else {
        const std::size_t colon = std::min(name.find(':'), name.size());
        const std::string_view plain = std::string_view(name).substr(0, colon);
        if (plain.empty() || !std::ranges::all_of(plain, host_character)) bad_host();
        rest = std::string_view(name).substr(colon);
    }
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) bad_host();
    name.resize(name.size() - rest.size());
    return name;
}

Gate::Gate(std::vector<std::string> key_hashes, const std::vector<std::string>& hosts)
    : key_hashes_(std::move(key_hashes)), hosts_{"localhost", "127.0.0.1", "[::1]"} {
    for (const std::string& host : hosts) {
        const bool bare_ipv6 = host.find(':') != host.npos && !host.starts_with('[');
        hosts_.push_back(lower(bare_ipv6 ? "[" + host + "]" : host));
    }
}

void Gate::check_host(const Head& head, std::string_view local_address) const {
    const std::string name = host_name(head.header("host"));
    if (std::ranges::find(hosts_, name) != hosts_.end()) return;
    if (name == local_address || name == fmt::format("[{}]", local_address)) return;
    throw Problem(
        421, "unknown_host",
        fmt::format("this server does not answer for the host {}; add it to the allowed "
                    "hosts if it is meant",
                    name),
        fmt::format("이 서버는 호스트 {}에 답하지 않습니다. 맞는 이름이라면 허용 호스트에 "
                    "더하세요.",
                    name));
}

void Gate::check_origin(const Head& head) const {
    const std::optional<std::string> origin = head.headers.find("origin");
    if (!writes(head) || !origin) return;
    const std::size_t scheme = origin->find("://");
    const bool same =
        scheme != std::string::npos &&
        equal_ignoring_case(std::string_view(*origin).substr(scheme + 3), head.header("host"));
    if (same) return;
    throw Problem(403, "cross_origin",
                  "requests from other web pages are not taken; use the server's own address",
                  "다른 웹 페이지에서 온 요청은 받지 않습니다. 서버 자신의 주소를 쓰세요.");
}

std::string Gate::principal(const Head& head) const {
    if (key_hashes_.empty()) return "local";
    static constexpr std::string_view kScheme = "bearer ";
    const std::string header = head.header("authorization");
    if (!equal_ignoring_case(std::string_view(header).substr(0, kScheme.size()), kScheme)) {
        throw Error(ErrorCode::kUnauthorized,
                    "no API key was sent; send it as Authorization: Bearer KEY", {},
                    "API 키가 없습니다. Authorization: Bearer 키 형태로 보내세요.");
    }
    const std::string hash = sha256_hex(trimmed(std::string_view(header).substr(kScheme.size())));
    bool known = false;  // every hash is compared, so time says nothing about which one fits
    for (const std::string& ours : key_hashes_) known |= equal_in_constant_time(ours, hash);
    if (!known) {
        throw Error(ErrorCode::kUnauthorized,
                    "the API key is not one of this server's; check it, or ask for a new one", {},
                    "이 서버의 API 키가 아닙니다. 키를 확인하거나 새로 받으세요.");
    }
    return "key_" + hash.substr(0, 12);
}

void Gate::check_content_type(const Head& head, const Route& route) {
    if (!head.has_body() || !writes(head)) return;
    const std::string type = head.header("content-type");
    if (std::holds_alternative<UploadRoute>(route.handler)) {
        if (multipart_boundary(type)) return;
        throw Problem(415, "unsupported_media_type",
                      "this path takes multipart/form-data with a boundary",
                      "이 경로는 boundary가 있는 multipart/form-data를 받습니다.");
    }
    if (is_json_type(type)) return;
    throw Problem(415, "unsupported_media_type", "the Content-Type must be application/json",
                  "Content-Type은 application/json이어야 합니다.");
}

}  // namespace jikji::http
