#include "llama/schema_grammar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.hpp"
#include "llama/pattern_grammar.hpp"
#include "llama/schema_keywords.hpp"
#include "llama/schema_scalars.hpp"
#include "llama/schema_values.hpp"

namespace jikji::llama {
namespace {

class Writer : SchemaScalars {
public:
    using SchemaScalars::SchemaScalars;

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
        return out.append(write_common());
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

    int nodes_ = 0;
    int values_ = 0;
    std::map<std::string, std::string> rules_;
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
