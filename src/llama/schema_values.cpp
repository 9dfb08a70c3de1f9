#include "llama/schema_values.hpp"

#include <algorithm>

#include "llama/schema_keywords.hpp"

namespace jikji::llama {

std::set<std::string> constants(const Json& node) {
    std::set<std::string> out;
    if (!node.is_object()) return out;
    if (node.contains("const")) out.insert(node.at("const").dump());
    if (node.contains("enum") && node.at("enum").is_array()) {
        for (const Json& value : node.at("enum")) out.insert(value.dump());
    }
    return out;
}

bool apart(const std::set<std::string>& a, const std::set<std::string>& b) {
    if (a.empty() || b.empty()) return false;
    return std::none_of(a.begin(), a.end(), [&](const auto& value) { return b.count(value); });
}

bool differ(const Json& a, const Json& b) {
    if (!a.is_object() || !b.is_object()) return false;
    if (apart(constants(a), constants(b))) return true;
    if (!a.contains("type") || !b.contains("type")) return false;
    if (!a.at("type").is_string() || !b.at("type").is_string()) return false;
    const std::string left = a.at("type").get<std::string>();
    const std::string right = b.at("type").get<std::string>();
    const auto numeric = [](const auto& t) { return t == "integer" || t == "number"; };
    if (left != right) return !(numeric(left) && numeric(right));
    if (left != "object" || !a.contains("properties") || !b.contains("properties")) return false;
    for (const auto& [name, property] : a.at("properties").items()) {
        if (!b.at("properties").contains(name) || !requires_it(a, name)) continue;
        if (!requires_it(b, name)) continue;
        if (apart(constants(property), constants(b.at("properties").at(name)))) return true;
    }
    return false;
}

bool requires_it(const Json& node, const std::string& name) {
    if (!node.contains("required") || !node.at("required").is_array()) return false;
    for (const Json& each : node.at("required")) {
        if (each.is_string() && each.get<std::string>() == name) return true;
    }
    return false;
}

bool fits(const Json& value, const std::string& type) {
    if (type == "string") return value.is_string();
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    if (type == "boolean") return value.is_boolean();
    if (type == "null") return value.is_null();
    if (type == "array") return value.is_array();
    return type == "object" && value.is_object();
}

std::string spaced(const Json& value) {
    if (value.is_object()) {
        std::string out;
        for (const auto& [key, member] : value.items()) {
            out.append(out.empty() ? "" : ", ").append(Json::make(key).dump());
            out.append(": ").append(spaced(member));
        }
        return "{" + out + "}";
    }
    if (!value.is_array()) return value.dump();
    std::string out;
    for (const Json& item : value) out.append(out.empty() ? "" : ", ").append(spaced(item));
    return "[" + out + "]";
}

bool concerns(const std::string& key, const std::string& type) {
    return (type == "object" && is_in(kOfObjects, key)) ||
           (type == "array" && is_in(kOfArrays, key)) ||
           (type == "string" && is_in(kOfStrings, key)) ||
           ((type == "number" || type == "integer") && is_in(kOfNumbers, key));
}

std::string literal(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

}  // namespace jikji::llama
