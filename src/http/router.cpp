#include "http/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.hpp"

namespace jikji::http {
namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> out;
    for (std::size_t begin = 1; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        out.emplace_back(path.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

[[noreturn]] void ambiguous(std::string_view path) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("path {} has a dot segment, a control byte or a broken % escape; give "
                            "the path that is meant",
                            path.substr(0, 200)),
                "path",
                fmt::format("경로 {}에 점 구간, 제어 문자 또는 잘못된 % 표기가 있습니다. 뜻하는 "
                            "경로를 그대로 적으세요.",
                            path.substr(0, 200)));
}

/// Every segment decoded, in the one way that all of Jikji reads paths.
std::vector<std::string> decoded(const std::vector<std::string>& raw, std::string_view path) {
    std::vector<std::string> out;
    for (const std::string& segment : raw) {
        std::optional<std::string> text = percent_decoded(segment);
        if (!text || *text == "." || *text == "..") ambiguous(path);
        out.push_back(*std::move(text));
    }
    return out;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

/// `skip` segments of the pattern are left out: the "v1" of a bare path.
bool fits(const Route& route, std::size_t skip, const std::vector<std::string>& raw) {
    if (route.segments.size() - skip != raw.size()) return false;
    for (std::size_t i = 0; i < raw.size(); ++i) {
        const std::string& wanted = route.segments[i + skip];
        if (is_parameter(wanted) ? raw[i].empty() : wanted != raw[i]) return false;
    }
    return true;
}

std::optional<std::size_t> skip_for(const Route& route, const std::vector<std::string>& raw) {
    if (fits(route, 0, raw)) return 0;
    if (route.segments.front() == "v1" && fits(route, 1, raw)) return 1;
    return std::nullopt;
}

/// A stream has no length to tell, so it has no HEAD.
bool has_head(const Route& route) {
    return route.method == "GET" && !std::holds_alternative<StreamingHandler>(route.handler);
}

bool answers(const Route& route, std::string_view method) {
    return route.method == method || (method == "HEAD" && has_head(route));
}

/// Routes with fewer parameters go first: /models/loaded before /models/{id}.
bool more_exact(const Route& a, const Route& b) {
    return std::ranges::count_if(a.segments, is_parameter) <
           std::ranges::count_if(b.segments, is_parameter);
}

std::string joined(const std::set<std::string>& methods) {
    return fmt::format("{}", fmt::join(methods, ", "));
}

}  // namespace

void Router::add(Route route) {
    JIKJI_CHECK(route.pattern.starts_with('/'));
    route.segments = split(route.pattern);
    for (const Route& other : routes_) {
        JIKJI_CHECK(other.method != route.method || other.pattern != route.pattern);
    }
    const auto place = std::ranges::upper_bound(routes_, route, more_exact);
    routes_.insert(place, std::move(route));
}

void Router::add_blocking(std::string method, std::string pattern, Access access,
                          BlockingHandler handler) {
    add({std::move(method), std::move(pattern), {}, access, std::move(handler)});
}

void Router::add_streaming(std::string method, std::string pattern, Access access,
                           StreamingHandler handler) {
    add({std::move(method), std::move(pattern), {}, access, std::move(handler)});
}

void Router::add_upload(std::string method, std::string pattern, Access access, UploadRoute route) {
    add({std::move(method), std::move(pattern), {}, access, std::move(route)});
}

void Router::add_asset(std::string pattern, Asset asset) {
    add({"GET", std::move(pattern), {}, Access::kOpen, asset});
}

Match Router::find(std::string_view method, std::string_view raw_path) const {
    if (!raw_path.starts_with('/')) ambiguous(raw_path);
    const std::vector<std::string> raw = split(raw_path);
    const std::vector<std::string> values = decoded(raw, raw_path);
    std::set<std::string> methods;
    for (const Route& route : routes_) {
        const std::optional<std::size_t> skip = skip_for(route, raw);
        if (!skip) continue;
        if (!answers(route, method)) {
            methods.insert(route.method);
            if (has_head(route)) methods.insert("HEAD");
            continue;
        }
        Match match{&route, {}, {}};
        for (std::size_t i = 0; i < raw.size(); ++i) {
            const std::string& segment = route.segments[i + *skip];
            if (is_parameter(segment))
                match.parameters.add(segment.substr(1, segment.size() - 2), values[i]);
        }
        return match;
    }
    if (!methods.empty()) methods.insert("OPTIONS");
    return {nullptr, {}, joined(methods)};
}

}  // namespace jikji::http
