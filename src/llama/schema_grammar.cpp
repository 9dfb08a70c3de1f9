#include "llama/schema_grammar.hpp"

#include <fmt/format.h>
#include <json.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.hpp"
#include "llama/integer_grammar.hpp"
#include "llama/pattern_grammar.hpp"
#include "llama/schema_keywords.hpp"

namespace jikji::llama {
namespace {

using Json = common_json;

// Values of any kind, in the form that the header describes.
const std::map<std::string, std::string> kCommon = {
    {"value", "object | array | string | number | boolean | null"},
    {"object", R"("{" (string ": " value (", " string ": " value)*)? "}")"},
    {"array", R"("[" (value (", " value)*)? "]")"},
    {"string", R"("\"" char* "\"")"},
    {"char", R"([^"\\\x00-\x1F\x7F] | "\\" (["\\/bfnrt] | "u" unit))"},
    // No surrogates: half of a pair alone is no text.
    {"unit", "[0-9a-cA-CefEF] hex{3} | [dD] [0-7] hex{2}"},
    {"hex", "[0-9a-fA-F]"},
    {"whole", R"("0" | [1-9] [0-9]{0,15})"},
    {"decimals", R"(("." [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?)"},
    {"number", R"("-"? whole decimals)"},
    {"integer", R"("-"? whole)"},
    {"boolean", R"("true" | "false")"},
    {"null", R"("null")"},
    {"date", R"([0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | [12] [0-9] | "3" [01]))"},
    {"clock", R"(([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9])"},
    {"time", R"(clock ":" [0-5] [0-9] ("." [0-9]{1,9})? ("Z" | [-+] clock))"},
    {"date-time", R"(date "T" time)"},
    {"uuid", R"(hex{8} "-" hex{4} "-" hex{4} "-" hex{4} "-" hex{12})"},
};

/// "a": 1 as a GBNF literal of that very text.
std::string literal(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}

class Writer {
public:
    Writer(const std::string& field, const SchemaLimits& limits) : field_(field), limits_(limits) {}

    std::string write(const std::string& text) {
        root_ = parsed(text);
        const std::string root = schema(root_, "", 0);
        std::string out = "root ::= " + root + "\n";
        while (!waiting_.empty()) {  // of what $ref names: each once, however often it is named
            const auto [rule, node, path] = waiting_.back();
            waiting_.pop_back();
            rules_[rule] = schema(*node, path, 0);
        }
        for (const auto& [name, rule] : rules_) out += name + " ::= " + rule + "\n";
        for (const std::string& name : used_) out += name + " ::= " + kCommon.at(name) + "\n";
        return out;
    }

    std::string any_object() {
        std::string out = "root ::= ";
        out.append(common("object")).append("\n");
        return out.append(write_common());
    }

private:
    struct Waiting {
        std::string rule;
        const Json* node;
        std::string path;
    };

    [[noreturn]] void fail(ErrorCode code, const std::string& path, const std::string& why,
                           const std::string& korean) const {
        const std::string where = path.empty() ? "the schema" : path;
        throw Error(code, fmt::format("{}: {} {}", field_, where, why), field_,
                    fmt::format("{}: {} {}", field_, where, korean));
    }
    [[noreturn]] void wrong(const std::string& path, const std::string& why) const {
        fail(ErrorCode::kInvalidArgument, path, why, "스키마가 올바르지 않습니다: " + why);
    }
    [[noreturn]] void unsupported(const std::string& path, const std::string& keyword,
                                  const std::string& why) const {
        fail(ErrorCode::kUnsupported, path,
             fmt::format("has '{}', {}; take it out, or say it in another way", keyword, why),
             fmt::format("'{}' 키워드는 지원하지 않습니다. 빼거나 다르게 표현하세요.", keyword));
    }
    [[noreturn]] void too_large(const std::string& path, const std::string& what,
                                std::size_t limit) const {
        fail(ErrorCode::kTooLarge, path, fmt::format("{}; {} is the limit", what, limit),
             fmt::format("한도 {}을(를) 넘었습니다: {}", limit, what));
    }

    Json parsed(const std::string& text) {
        if (text.size() > limits_.bytes) too_large("", "has too many bytes", limits_.bytes);
        int depth = 0;
        bool quoted = false;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (quoted && text[i] == '\\')
                ++i;
            else if (text[i] == '"')
                quoted = !quoted;
            else if (!quoted && (text[i] == '{' || text[i] == '['))
                ++depth;
            else if (!quoted && (text[i] == '}' || text[i] == ']'))
                --depth;
            if (depth > 4 * limits_.depth) too_large("", "nests too deep", most_depth());
        }
        Json out = Json::parse_no_throw(text);
        if (out.is_discarded()) wrong("", "is no JSON");
        return out;
    }
    std::size_t most_depth() const { return static_cast<std::size_t>(limits_.depth); }

    // Which rules of kCommon are needed, with those that they need.
    std::string common(const std::string& name) {
        if (!used_.insert(name).second) return name;
        const std::string& rule = kCommon.at(name);
        for (const auto& [other, unused] : kCommon) {
            const auto at = rule.find(other);
            if (at != std::string::npos) common(other);  // a word too many does no harm
        }
        return name;
    }
    std::string write_common() {
        std::string out;
        for (const std::string& name : used_) out += name + " ::= " + kCommon.at(name) + "\n";
        return out;
    }

    std::string add_rule(const std::string& expression) {
        std::string name = fmt::format("r{}", rules_.size());
        rules_[name] = expression;
        return name;
    }

    // One schema as an expression that can stand anywhere.
    std::string schema(const Json& node, const std::string& path, int depth) {
        if (++nodes_ > limits_.nodes) {
            too_large(path, "is one schema too many", static_cast<std::size_t>(limits_.nodes));
        }
        if (depth > limits_.depth) too_large(path, "nests too deep", most_depth());
        if (node.is_boolean()) {
            if (!node.get<bool>()) wrong(path, "is false: no value would be right");
            return common("value");
        }
        if (!node.is_object()) wrong(path, "is no schema; a schema is an object");
        if (node.contains("$ref")) return reference(node, path);
        for (const char* key : {"anyOf", "oneOf", "allOf"}) {
            if (node.contains(key)) return combined(node, key, path, depth);
        }
        if (node.contains("const") || node.contains("enum")) return values(node, path);
        return typed(node, path, depth);
    }

    // Everything beside `keyword` must be without meaning.
    void only(const Json& node, const std::string& path, const std::string& keyword,
              const std::string& also = {}) const {
        for (const auto& [key, value] : node.items()) {
            if (key == keyword || key == also || is_in(kAnnotations, key)) continue;
            unsupported(path, key, fmt::format("which is not supported beside {}", keyword));
        }
    }

    static std::string unescaped(const std::string& token) {
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

    // RFC 6901.
    const Json& target_of(const std::string& ref, const std::string& path) const {
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

    std::string reference(const Json& node, const std::string& path) {
        only(node, path, "$ref");
        const Json& ref = node.at("$ref");
        if (!ref.is_string()) wrong(path, "has a $ref that is no text");
        const std::string name = ref.get<std::string>();
        const auto known = references_.find(name);
        if (known != references_.end()) return known->second;
        const Json& target = target_of(name, path);
        const std::string rule = add_rule("");
        references_[name] = rule;
        waiting_.push_back({rule, &target, name});
        return rule;
    }

    std::string combined(const Json& node, const std::string& key, const std::string& path,
                         int depth) {
        only(node, path, key, "type");
        const Json& parts = node.at(key);
        const std::string here = path + "/" + key;
        if (!parts.is_array() || parts.empty()) wrong(here, "must be a list of schemas");
        if (key == "allOf" && parts.size() > 1) {
            unsupported(path, key, "which is only supported with one schema in it");
        }
        if (node.contains("type") && key != "allOf") {
            unsupported(path, "type", fmt::format("which is not supported beside {}", key));
        }
        if (key == "oneOf") must_differ(parts, path);
        std::string out;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            out.append(i > 0 ? " | " : "")
                .append(schema(parts.at(i), fmt::format("{}/{}", here, i), depth + 1));
        }
        return "(" + out + ")";
    }

    const Json& resolved(const Json& node, const std::string& path) const {
        const Json* at = &node;
        for (int hops = 0; at->is_object() && at->contains("$ref"); ++hops) {
            if (hops > limits_.depth || !at->at("$ref").is_string())
                wrong(path, "refers to itself");
            at = &target_of(at->at("$ref").get<std::string>(), path);
        }
        return *at;
    }

    // oneOf says exactly one; a choice says at least one. They are the same where no value can fit
    // two of the alternatives.
    void must_differ(const Json& parts, const std::string& path) const {
        if (parts.size() > 100) too_large(path + "/oneOf", "has too many schemas", 100);
        for (std::size_t i = 0; i < parts.size(); ++i) {
            for (std::size_t k = 0; k < i; ++k) {
                if (differ(resolved(parts.at(i), path), resolved(parts.at(k), path))) continue;
                unsupported(path, "oneOf",
                            fmt::format("whose schemas {} and {} may both fit one value (give both "
                                        "another type, or a required property with another "
                                        "const), or is meant as anyOf",
                                        k, i));
            }
        }
    }

    static std::set<std::string> constants(const Json& node) {
        std::set<std::string> out;
        if (!node.is_object()) return out;
        if (node.contains("const")) out.insert(node.at("const").dump());
        if (node.contains("enum") && node.at("enum").is_array()) {
            for (const Json& value : node.at("enum")) out.insert(value.dump());
        }
        return out;
    }

    static bool apart(const std::set<std::string>& a, const std::set<std::string>& b) {
        if (a.empty() || b.empty()) return false;
        return std::none_of(a.begin(), a.end(), [&](const auto& value) { return b.count(value); });
    }

    static bool differ(const Json& a, const Json& b) {
        if (!a.is_object() || !b.is_object()) return false;
        if (apart(constants(a), constants(b))) return true;
        if (!a.contains("type") || !b.contains("type")) return false;
        if (!a.at("type").is_string() || !b.at("type").is_string()) return false;
        const std::string left = a.at("type").get<std::string>();
        const std::string right = b.at("type").get<std::string>();
        const auto numeric = [](const auto& t) { return t == "integer" || t == "number"; };
        if (left != right) return !(numeric(left) && numeric(right));
        if (left != "object" || !a.contains("properties") || !b.contains("properties"))
            return false;
        for (const auto& [name, property] : a.at("properties").items()) {
            if (!b.at("properties").contains(name) || !requires_it(a, name)) continue;
            if (!requires_it(b, name)) continue;
            if (apart(constants(property), constants(b.at("properties").at(name)))) return true;
        }
        return false;
    }

    static bool requires_it(const Json& node, const std::string& name) {
        if (!node.contains("required") || !node.at("required").is_array()) return false;
        for (const Json& each : node.at("required")) {
            if (each.is_string() && each.get<std::string>() == name) return true;
        }
        return false;
    }

    static bool fits(const Json& value, const std::string& type) {
        if (type == "string") return value.is_string();
        if (type == "integer") return value.is_number_integer();
        if (type == "number") return value.is_number();
        if (type == "boolean") return value.is_boolean();
        if (type == "null") return value.is_null();
        if (type == "array") return value.is_array();
        return type == "object" && value.is_object();
    }

    // The value as text in the form of all others: ": " and ", ".
    static std::string spaced(const Json& value) {
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

    std::string values(const Json& node, const std::string& path) {
        const std::string key = node.contains("const") ? "const" : "enum";
        only(node, path, key, "type");
        Json all = Json::array();
        if (key == "const") {
            all.push_back(node.at("const"));
        } else {
            if (!node.at("enum").is_array() || node.at("enum").empty()) {
                wrong(path + "/enum", "must be a list with something in it");
            }
            all = node.at("enum");
        }
        values_ += static_cast<int>(all.size());
        if (values_ > limits_.values) {
            too_large(path, "has one enum value too many",
                      static_cast<std::size_t>(limits_.values));
        }
        std::string out;
        for (const Json& value : all) {
            if (node.contains("type")) must_fit(value, node.at("type"), path);
            out.append(out.empty() ? "" : " | ").append(literal(spaced(value)));
        }
        return "(" + out + ")";
    }

    void must_fit(const Json& value, const Json& type, const std::string& path) const {
        bool good = type.is_string() && fits(value, type.get<std::string>());
        if (type.is_array()) {
            for (const Json& each : type) {
                good = good || (each.is_string() && fits(value, each.get<std::string>()));
            }
        }
        if (!good)
            wrong(path, fmt::format("has the value {}, which is not of its type", value.dump()));
    }

    std::vector<std::string> types_of(const Json& node, const std::string& path) const {
        std::vector<std::string> out;
        const auto put = [&](const Json& type) {
            if (!type.is_string()) wrong(path, "has a type that is no text");
            out.push_back(type.get<std::string>());
        };
        if (node.contains("type")) {
            const Json& type = node.at("type");
            if (!type.is_array())
                put(type);
            else if (type.size() > 7 || type.empty())
                wrong(path, "has a wrong list of types");
            else
                for (const Json& each : type) put(each);
            return out;
        }
        for (const auto& [key, value] : node.items()) {
            const char* type = is_in(kOfObjects, key)   ? "object"
                               : is_in(kOfArrays, key)  ? "array"
                               : is_in(kOfStrings, key) ? "string"
                               : is_in(kOfNumbers, key) ? "number"
                                                        : nullptr;
            if (type != nullptr) return {type};
        }
        return {};
    }

    static bool concerns(const std::string& key, const std::string& type) {
        return (type == "object" && is_in(kOfObjects, key)) ||
               (type == "array" && is_in(kOfArrays, key)) ||
               (type == "string" && is_in(kOfStrings, key)) ||
               ((type == "number" || type == "integer") && is_in(kOfNumbers, key));
    }

    std::string typed(const Json& node, const std::string& path, int depth) {
        const std::vector<std::string> types = types_of(node, path);
        for (const auto& [key, value] : node.items()) {
            if (key == "type" || is_in(kAnnotations, key)) continue;
            const bool known = std::any_of(types.begin(), types.end(),
                                           [&](const auto& type) { return concerns(key, type); });
            if (!known) {
                unsupported(path, key,
                            types.empty() ? "which is not supported"
                                          : fmt::format("which is not supported for the type {}",
                                                        fmt::join(types, ", ")));
            }
        }
        if (types.empty()) return common("value");
        std::string out;
        for (const std::string& type : types) {
            out.append(out.empty() ? "" : " | ").append(of_type(node, type, path, depth));
        }
        return "(" + out + ")";
    }

    std::string of_type(const Json& node, const std::string& type, const std::string& path,
                        int depth) {
        if (type == "object") return object(node, path, depth);
        if (type == "array") return array(node, path, depth);
        if (type == "string") return string(node, path);
        if (type == "integer") return integer(node, path);
        if (type == "number") return number(node, path);
        if (type == "boolean" || type == "null") return common(type);
        wrong(path, fmt::format("has the type '{}', which there is not", type));
    }

    int count(const Json& node, const char* key, const std::string& path, int otherwise) const {
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

    std::string string(const Json& node, const std::string& path) {
        const int least = count(node, "minLength", path, 0);
        const int most = count(node, "maxLength", path, -1);
        const bool counted = least > 0 || most >= 0;
        if (most >= 0 && most < least) wrong(path, "has a maxLength below its minLength");
        if (node.contains("pattern")) {
            if (counted) unsupported(path, "pattern", "which is not supported beside a length");
            if (node.contains("format")) {
                unsupported(path, "pattern", "which is not supported beside format");
            }
            return pattern(node.at("pattern"), path);
        }
        if (node.contains("format")) {
            const Json& value = node.at("format");
            const std::string name = value.is_string() ? value.get<std::string>() : value.dump();
            if (name != "date" && name != "time" && name != "date-time" && name != "uuid") {
                unsupported(path, "format",
                            fmt::format("of which '{}' is not supported (date, time, date-time and "
                                        "uuid are)",
                                        name));
            }
            if (counted) unsupported(path, "format", "which is not supported beside a length");
            return fmt::format(R"("\"" {} "\"")", common(name));
        }
        if (!counted) return common("string");
        const std::string upper = most >= 0 ? std::to_string(most) : "";
        return fmt::format(R"("\"" {}{{{},{}}} "\"")", common("char"), least, upper);
    }

    std::string pattern(const Json& value, const std::string& path) {
        if (!value.is_string()) wrong(path, "has a pattern that is no text");
        const std::string text = value.get<std::string>();
        if (text.size() > limits_.pattern) too_large(path, "has a long pattern", limits_.pattern);
        try {
            return fmt::format(R"("\"" {} "\"")", pattern_grammar(text, limits_.repeats));
        } catch (const std::invalid_argument& cause) {
            unsupported(path, "pattern",
                        fmt::format("of which '{}' cannot be kept: {}", text, cause.what()));
        }
    }

    std::optional<double> bound(const Json& node, const char* key, const std::string& path) const {
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

    std::string integer(const Json& node, const std::string& path) {
        std::optional<std::int64_t> least;
        std::optional<std::int64_t> most;
        const auto raise = [&](double to) {
            least = std::max(least.value_or(INT64_MIN), static_cast<std::int64_t>(to));
        };
        const auto lower = [&](double to) {
            most = std::min(most.value_or(INT64_MAX), static_cast<std::int64_t>(to));
        };
        if (const auto b = bound(node, "minimum", path)) raise(std::ceil(*b));
        if (const auto b = bound(node, "exclusiveMinimum", path)) raise(std::floor(*b) + 1);
        if (const auto b = bound(node, "maximum", path)) lower(std::floor(*b));
        if (const auto b = bound(node, "exclusiveMaximum", path)) lower(std::ceil(*b) - 1);
        if (!least && !most) return common("integer");
        if (least && most && *least > *most) wrong(path, "has a maximum below its minimum");
        return integer_grammar(least, most);
    }

    std::string number(const Json& node, const std::string& path) {
        bool bounded = false;
        for (const std::string_view key : kOfNumbers) {
            const std::string name(key);
            const auto value = bound(node, name.c_str(), path);
            if (!value) continue;
            if (name != "minimum" || *value != 0) {
                unsupported(path, name,
                            "which for the type number is only supported as a minimum of 0 (for "
                            "integer any is)");
            }
            bounded = true;
        }
        if (!bounded) return common("number");
        return common("whole") + " " + common("decimals");
    }

    std::string array(const Json& node, const std::string& path, int depth) {
        if (node.contains("uniqueItems")) {
            const Json& unique = node.at("uniqueItems");
            if (!unique.is_boolean() || unique.get<bool>()) {
                unsupported(path, "uniqueItems", "which is not supported");
            }
        }
        const int least = count(node, "minItems", path, 0);
        const int most = count(node, "maxItems", path, -1);
        if (most >= 0 && most < least) wrong(path, "has a maxItems below its minItems");
        const bool listed = node.contains("items") && node.at("items").is_array();
        if (node.contains("prefixItems") || listed) {
            return tuple(node, listed ? "items" : "prefixItems", path, depth);
        }
        std::string item = node.contains("items")
                               ? schema(node.at("items"), path + "/items", depth + 1)
                               : common("value");
        if (most == 0) return "\"[]\"";
        item = add_rule(item);
        const std::string upper = most >= 0 ? std::to_string(most - 1) : "";
        const std::string some =
            fmt::format("{} (\", \" {}){{{},{}}}", item, item, std::max(least - 1, 0), upper);
        return least > 0 ? "\"[\" " + some + " \"]\"" : "\"[\" (" + some + ")? \"]\"";
    }

    // Exactly as many items as there are schemas: what comes behind them is left out.
    std::string tuple(const Json& node, const std::string& key, const std::string& path,
                      int depth) {
        const Json& items = node.at(key);
        if (!items.is_array()) wrong(path + "/" + key, "must be a list of schemas");
        const int size = static_cast<int>(items.size());
        if (count(node, "minItems", path, size) > size ||
            count(node, "maxItems", path, size) < size) {
            unsupported(path, key, "which is only supported with exactly as many items");
        }
        if (key == "prefixItems" && node.contains("items") &&
            (!node.at("items").is_boolean() || node.at("items").get<bool>())) {
            unsupported(path, "items", "which beside prefixItems is only supported as false");
        }
        std::string out = "\"[\"";
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i > 0) out += " \", \"";
            out.append(" ").append(
                schema(items.at(i), fmt::format("{}/{}/{}", path, key, i), depth + 1));
        }
        return out + " \"]\"";
    }

    struct Member {
        std::string text;  // "key": value
        bool required;
    };

    std::string object(const Json& node, const std::string& path, int depth) {
        const Json none = Json::object();
        const Json& properties = node.contains("properties") ? node.at("properties") : none;
        if (!properties.is_object()) wrong(path + "/properties", "must be an object");
        check_required(node, properties, path);
        std::vector<Member> members;
        for (const auto& [name, property] : properties.items()) {
            const std::string value = schema(property, path + "/properties/" + name, depth + 1);
            members.push_back(
                {literal(Json::make(name).dump() + ": ") + " " + value, requires_it(node, name)});
        }
        const std::string more = additional(node, properties, path, depth);
        // From the last member to the first: what may follow if something stands before already,
        // and if nothing does.
        std::string after = more.empty() ? "" : fmt::format("(\", \" {})*", more);
        std::string first = more.empty() ? "" : fmt::format("({} (\", \" {})*)?", more, more);
        for (auto member = members.rbegin(); member != members.rend(); ++member) {
            const std::string one = add_rule(member->text);
            const std::string rest = after.empty() ? "" : add_rule(after);
            if (member->required) {
                first = one + " " + rest;
                after = fmt::format("\", \" {} {}", one, rest);
            } else {
                first =
                    fmt::format("{} {} | {}", one, rest, first.empty() ? "\"\"" : add_rule(first));
                after = fmt::format("(\", \" {})? {}", one, rest);
            }
        }
        if (first.empty()) first = "\"\"";
        return "\"{\" (" + first + ") \"}\"";
    }

    void check_required(const Json& node, const Json& properties, const std::string& path) const {
        if (!node.contains("required")) return;
        const Json& required = node.at("required");
        if (!required.is_array()) wrong(path + "/required", "must be a list of names");
        for (const Json& name : required) {
            if (!name.is_string()) wrong(path + "/required", "must be a list of names");
            if (properties.contains(name.get<std::string>())) continue;
            unsupported(path, "required",
                        fmt::format("which names '{}', which is not among the properties",
                                    name.get<std::string>()));
        }
    }

    // The rule of one further member, or nothing if there may be none.
    std::string additional(const Json& node, const Json& properties, const std::string& path,
                           int depth) {
        const bool given = node.contains("additionalProperties");
        if (!given && node.contains("properties")) return {};
        if (given && node.at("additionalProperties").is_boolean() &&
            !node.at("additionalProperties").get<bool>()) {
            return {};
        }
        const std::string value = given ? schema(node.at("additionalProperties"),
                                                 path + "/additionalProperties", depth + 1)
                                        : common("value");
        if (properties.empty()) return add_rule(common("string") + " \": \" " + value);
        std::vector<std::string> names;
        for (const auto& [name, property] : properties.items()) names.push_back(name);
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
                return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
            });
            if (!plain || name.size() > 200) {
                unsupported(path, "additionalProperties",
                            fmt::format("which is not supported beside a property named {}",
                                        Json::make(name).dump()));
            }
        }
        return add_rule(fmt::format("\"\\\"\" {} \"\\\": \" {}", other_than(names, 0), value));
    }

    // Keys other than these, which begin alike up to `at`. A key has no escapes here: they could
    // spell one of the names.
    std::string other_than(const std::vector<std::string>& names, std::size_t at) {
        std::string out;
        std::string barred;
        bool taken = false;
        for (std::size_t i = 0; i < names.size();) {
            if (names[i].size() == at) {
                taken = true;
                ++i;
                continue;
            }
            const char c = names[i][at];
            std::vector<std::string> alike;
            for (; i < names.size() && names[i][at] == c; ++i) alike.push_back(names[i]);
            const std::string code = fmt::format("\\x{:02X}", static_cast<unsigned>(c));
            barred += code;
            out += fmt::format("[{}] {} | ", code, other_than(alike, at + 1));
        }
        const std::string any = kPlainCharacter;
        const std::string other = any.substr(0, any.size() - 1) + barred + "]";
        out += other + " " + any + "*";
        if (!taken) out += " | \"\"";
        return add_rule(out);
    }

    const std::string& field_;
    const SchemaLimits& limits_;
    Json root_;
    int nodes_ = 0;
    int values_ = 0;
    std::map<std::string, std::string> rules_;
    std::set<std::string> used_;
    std::map<std::string, std::string> references_;
    std::vector<Waiting> waiting_;
};

}  // namespace

std::string schema_grammar(const std::string& schema, const std::string& field,
                           const SchemaLimits& limits) {
    try {
        return Writer(field, limits).write(schema);
    } catch (const common_json_error& cause) {
        throw Error(ErrorCode::kInvalidArgument, field + ": " + cause.what(), field,
                    field + ": 올바른 스키마가 아닙니다.");
    }
}

std::string json_object_grammar() { return Writer({}, {}).any_object(); }

}  // namespace jikji::llama
