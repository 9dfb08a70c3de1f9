#include "llama/tool_schema.hpp"

#include <fmt/format.h>
#include <json.h>

#include <set>

#include "base/error.hpp"
#include "llama/json_depth.hpp"

namespace jikji::llama {
namespace {

using Json = common_json;

constexpr std::size_t kBytes = 128u << 10;
constexpr int kDepth = 40;
constexpr int kNodes = 2000;
constexpr int kMembers = 150;  // the converter's work grows with their cube
constexpr int kRepeats = 500;

const std::set<std::string> kTypes = {"object", "array",   "string", "integer",
                                      "number", "boolean", "null"};

class Cleaner {
public:
    explicit Cleaner(const std::string& field) : field_(field) {}

    std::string clean(const std::string& text) {
        if (text.size() > kBytes) too_large(fmt::format("it has more than {} bytes", kBytes));
        if (nests_deeper_than(text, 3 * kDepth)) too_large("it nests too deep");
        const Json root = Json::parse_no_throw(text);
        if (root.is_discarded() || !root.is_object()) {
            throw Error(ErrorCode::kInvalidArgument, field_ + " must be a JSON schema: an object",
                        field_, field_ + "은(는) JSON 스키마 객체여야 합니다.");
        }
        root_ = &root;
        Json out = cleaned(root, 0);
        if (!out.contains("type")) out["type"] = "object";
        if (!out.contains("properties")) out["properties"] = Json::object();
        return out.dump_safe();
    }

private:
    [[noreturn]] void too_large(const std::string& why) const {
        throw Error(ErrorCode::kInvalidArgument, field_ + " is too large: " + why, field_,
                    field_ + "이(가) 너무 큽니다: " + why);
    }

    // $ref is written out, as far as it does not come back to itself.
    const Json* target_of(const Json& ref) const {
        const std::string name = ref.is_string() ? ref.get<std::string>() : std::string();
        if (!name.starts_with("#/")) return nullptr;
        const Json* at = root_;
        for (std::size_t from = 2; from <= name.size();) {
            const std::size_t end = std::min(name.find('/', from), name.size());
            const std::string key = name.substr(from, end - from);
            from = end + 1;
            if (!at->is_object() || !at->contains(key)) return nullptr;
            at = &at->at(key);
        }
        return at;
    }

    Json cleaned(const Json& node, int depth) {
        Json out = Json::object();
        if (!node.is_object() || depth > kDepth) return out;
        if (++nodes_ > kNodes) too_large(fmt::format("it has more than {} schemas", kNodes));
        if (node.contains("$ref")) {
            const Json* target = target_of(node.at("$ref"));
            if (target == nullptr || depth > kDepth / 4) return out;
            return cleaned(*target, depth + 1);
        }
        for (const char* key : {"title", "description", "default", "examples"}) {
            if (node.contains(key)) out[key] = node.at(key);
        }
        for (const char* key : {"anyOf", "oneOf"}) {
            if (!node.contains(key) || !node.at(key).is_array() || node.at(key).empty()) continue;
            Json parts = Json::array();
            for (const Json& part : node.at(key)) parts.push_back(cleaned(part, depth + 1));
            out["anyOf"] = parts;
            return out;
        }
        if (node.contains("const")) {
            out["const"] = node.at("const");
            return out;
        }
        if (node.contains("enum") && node.at("enum").is_array() && !node.at("enum").empty()) {
            if (node.at("enum").size() > static_cast<std::size_t>(kNodes))
                too_large("an enum is long");
            out["enum"] = node.at("enum");
        }
        copy_type(node, out);
        copy_members(node, out, depth);
        copy_items(node, out, depth);
        copy_bounds(node, out);
        return out;
    }

    static void copy_type(const Json& node, Json& out) {
        if (!node.contains("type")) return;
        const Json& type = node.at("type");
        if (type.is_string() && kTypes.count(type.get<std::string>()) != 0) out["type"] = type;
        if (!type.is_array()) return;
        Json known = Json::array();
        for (const Json& each : type) {
            if (each.is_string() && kTypes.count(each.get<std::string>()) != 0)
                known.push_back(each);
        }
        if (!known.empty()) out["type"] = known;
    }

    void copy_members(const Json& node, Json& out, int depth) {
        if (!node.contains("properties") || !node.at("properties").is_object()) {
            if (node.contains("additionalProperties") &&
                node.at("additionalProperties").is_object()) {
                out["additionalProperties"] = cleaned(node.at("additionalProperties"), depth + 1);
            }
            return;
        }
        const Json& given = node.at("properties");
        if (given.size() > static_cast<std::size_t>(kMembers)) {
            too_large(fmt::format("an object has more than {} properties", kMembers));
        }
        Json members = Json::object();
        for (const auto& [name, member] : given.items()) members[name] = cleaned(member, depth + 1);
        out["properties"] = members;
        if (!node.contains("required") || !node.at("required").is_array()) return;
        Json required = Json::array();
        for (const Json& name : node.at("required")) {
            if (name.is_string() && given.contains(name.get<std::string>()))
                required.push_back(name);
        }
        out["required"] = required;
    }

    void copy_items(const Json& node, Json& out, int depth) {
        if (!node.contains("items") || !node.at("items").is_object()) return;
        out["items"] = cleaned(node.at("items"), depth + 1);
    }

    static void copy_bounds(const Json& node, Json& out) {
        for (const char* key : {"minItems", "maxItems", "minLength", "maxLength"}) {
            if (!node.contains(key) || !node.at(key).is_number_integer()) continue;
            const double value = node.at(key).get<double>();
            if (value >= 0 && value <= kRepeats) out[key] = node.at(key);
        }
        for (const char* low : {"Items", "Length"}) {
            const std::string least = std::string("min") + low;
            const std::string most = std::string("max") + low;
            if (out.contains(least) && out.contains(most) &&
                out.at(least).get<double>() > out.at(most).get<double>()) {
                out.erase(least);
            }
        }
    }

    const std::string& field_;
    const Json* root_ = nullptr;
    int nodes_ = 0;
};

}  // namespace

std::string tool_schema(const std::string& parameters, const std::string& field) {
    if (parameters.empty()) return R"({"type":"object","properties":{}})";
    try {
        return Cleaner(field).clean(parameters);
    } catch (const common_json_error& cause) {
        throw Error(ErrorCode::kInvalidArgument, field + ": " + cause.what(), field);
    }
}

}  // namespace jikji::llama
