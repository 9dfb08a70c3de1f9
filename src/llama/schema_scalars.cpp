#include "llama/schema_scalars.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "llama/integer_grammar.hpp"
#include "llama/pattern_grammar.hpp"
#include "llama/schema_keywords.hpp"

namespace jikji::llama {
namespace {

// Of objects and arrays that may hold anything: a model that loses its way opens one after the
// other, and most readers of JSON go no deeper.
constexpr int kNesting = 32;

// Values of any kind, in the form that the header describes. Those that nest are written by
// write_nesting(); here they only name what they need.
const std::map<std::string, std::string> kCommon = {
    {"value", "object | array | scalar"},
    {"object", "string value"},
    {"array", "value"},
    {"scalar", "string | number | boolean | null"},
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

bool nests(const std::string& name) {
    return name == "value" || name == "object" || name == "array";
}

// A rule for each level; at the last one only what holds nothing more.
std::string write_nesting() {
    const auto at = [](int level) { return level > 1 ? fmt::format("-{}", level) : ""; };
    std::string out;
    for (int level = 1; level <= kNesting; ++level) {
        const std::string here = at(level);
        const std::string value = "value" + at(level + 1);
        out += fmt::format("value{0} ::= object{0} | array{0} | scalar\n", here);
        out += fmt::format(R"(object{0} ::= "{{" (string ": " {1} (", " string ": " {1})*)? "}}")",
                           here, value);
        out += fmt::format("\narray{0} ::= \"[\" ({1} (\", \" {1})*)? \"]\"\n", here, value);
    }
    return out + fmt::format("value{} ::= scalar\n", at(kNesting + 1));
}

}  // namespace

std::string SchemaScalars::common(const std::string& name) {
    if (!used_.insert(name).second) return name;
    const std::string& rule = kCommon.at(name);
    for (const auto& [other, unused] : kCommon) {
        const auto at = rule.find(other);
        if (at != std::string::npos) common(other);  // a word too many does no harm
    }
    return name;
}

std::string SchemaScalars::write_common() {
    std::string out;
    for (const std::string& name : used_) {
        if (!nests(name)) out += name + " ::= " + kCommon.at(name) + "\n";
    }
    return used_.contains("value") ? out + write_nesting() : out;
}

std::string SchemaScalars::string(const Json& node, const std::string& path) {
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

std::string SchemaScalars::pattern(const Json& value, const std::string& path) {
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

std::string SchemaScalars::integer(const Json& node, const std::string& path) {
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

std::string SchemaScalars::number(const Json& node, const std::string& path) {
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

}  // namespace jikji::llama
