#include "llama/schema_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "llama/json_depth.hpp"
#include "llama/schema_keywords.hpp"

namespace jikji::llama {

using Json = common_json;

void SchemaDocument::fail(ErrorCode code, const std::string& path, const std::string& why,
                          const std::string& korean) const {
    const std::string where = path.empty() ? "the schema" : path;
    throw Error(code, fmt::format("{}: {} {}", field_, where, why), field_,
                fmt::format("{}: {} {}", field_, where, korean));
}

void SchemaDocument::wrong(const std::string& path, const std::string& why) const {
    fail(ErrorCode::kInvalidArgument, path, why, "스키마가 올바르지 않습니다: " + why);
}

void SchemaDocument::unsupported(const std::string& path, const std::string& keyword,
                                 const std::string& why) const {
    fail(ErrorCode::kUnsupported, path,
         fmt::format("has '{}', {}; take it out, or say it in another way", keyword, why),
         fmt::format("'{}' 키워드는 지원하지 않습니다. 빼거나 다르게 표현하세요.", keyword));
}

void SchemaDocument::too_large(const std::string& path, const std::string& what,
                               std::size_t limit) const {
    fail(ErrorCode::kInvalidArgument, path, fmt::format("{}; {} is the limit", what, limit),
         fmt::format("한도 {}을(를) 넘었습니다: {}", limit, what));
}

Json SchemaDocument::parsed(const std::string& text) {
    if (text.size() > limits_.bytes) too_large("", "has too many bytes", limits_.bytes);
    if (nests_deeper_than(text, 4 * limits_.depth)) too_large("", "nests too deep", most_depth());
    Json out = Json::parse_no_throw(text);
    if (out.is_discarded()) wrong("", "is no JSON");
    return out;
}

std::size_t SchemaDocument::most_depth() const { return static_cast<std::size_t>(limits_.depth); }

void SchemaDocument::only(const Json& node, const std::string& path, const std::string& keyword,
                          const std::string& also) const {
    for (const auto& [key, value] : node.items()) {
        if (key == keyword || key == also || is_in(kAnnotations, key)) continue;
        unsupported(path, key, fmt::format("which is not supported beside {}", keyword));
    }
}

std::string SchemaDocument::unescaped(const std::string& token) {
    std::string out;
    for (std::size_t i = 0; i < token.size(); ++i) {
        if (token[i] == '~' && i + 1 < token.size()) {
            out += token[++i] == '1' ? '/' : '~';
        } else {
            out += token[i];
        }
    }
    return out;
}

const Json& SchemaDocument::target_of(const std::string& ref, const std::string& path) const {
    if (ref != "#" && !ref.starts_with("#/")) {
        unsupported(path, "$ref", fmt::format("whose '{}' is not in this schema", ref));
    }
    const Json* at = &root_;
    for (std::size_t from = 2; from <= ref.size() && ref != "#";) {
        const std::size_t end = std::min(ref.find('/', from), ref.size());
        const std::string key = unescaped(ref.substr(from, end - from));
        from = end + 1;
        const bool number =
            !key.empty() && key.size() < 7 &&
            std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (at->is_object() && at->contains(key)) {
            at = &at->at(key);
        } else if (at->is_array() && number &&
                   static_cast<std::size_t>(std::stoi(key)) < at->size()) {
            at = &at->at(static_cast<std::size_t>(std::stoi(key)));
        } else {
            wrong(path, fmt::format("has the $ref '{}', which leads nowhere", ref));
        }
    }
    return *at;
}

const Json& SchemaDocument::resolved(const Json& node, const std::string& path) const {
    const Json* at = &node;
    for (int hops = 0; at->is_object() && at->contains("$ref"); ++hops) {
        if (hops > limits_.depth || !at->at("$ref").is_string()) wrong(path, "refers to itself");
        at = &target_of(at->at("$ref").get<std::string>(), path);
    }
    return *at;
}

int SchemaDocument::count(const Json& node, const char* key, const std::string& path,
                          int otherwise) const {
    if (!node.contains(key)) return otherwise;
    const Json& value = node.at(key);
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!(number >= 0) || number != std::floor(number)) {
        wrong(path, fmt::format("has a {} that is no whole number from 0", key));
    }
    if (number > limits_.repeats) {
        too_large(path, fmt::format("has a {} of {}", key, value.dump()),
                  static_cast<std::size_t>(limits_.repeats));
    }
    return static_cast<int>(number);
}

std::optional<double> SchemaDocument::bound(const Json& node, const char* key,
                                            const std::string& path) const {
    if (!node.contains(key)) return std::nullopt;
    const Json& value = node.at(key);
    if (!value.is_number()) wrong(path, fmt::format("has a {} that is no number", key));
    const double number = value.get<double>();
    constexpr double kExact = 9007199254740992.0;  // 2^53
    if (!(std::abs(number) <= kExact)) {
        unsupported(path, key, "which is beyond 2^53");
    }
    return number;
}

}  // namespace jikji::llama
