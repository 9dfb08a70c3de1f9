#include "api/tool_fields.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/fields.hpp"
#include "api/json_text.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/nearest.hpp"

namespace jikji::api {
namespace {

namespace json = boost::json;
using engine::ChatInput;
using engine::Tool;
using engine::ToolChoice;
using http::Fields;

constexpr std::size_t kNameBytes = 64;
constexpr std::size_t kShownBytes = 80;

constexpr Reason kOldFunctions{"it is the older form; use tools and tool_choice",
                               "옛 형식입니다. tools와 tool_choice를 쓰세요"};

[[noreturn]] void invalid(std::string_view path, std::string english, std::string korean) {
    throw Error(ErrorCode::kInvalidArgument, std::move(english), std::string(path),
                std::move(korean));
}

bool may_stand_in_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/// The object as text, its members in the order in which they came; empty if there is none.
std::string schema_text(Fields& fields, std::string_view name) {
    const auto schema = fields.optional_object(name);
    return schema ? json_text(schema->object()) : std::string();
}

Tool read_tool(const json::value& value, const std::string& path) {
    Fields fields = Fields::of(value, path);
    require_function_type(fields);
    Fields function = fields.required_object("function");
    Tool tool;
    tool.name = function.required_string("name");
    check_name(function.path_of("name"), tool.name);
    tool.description = function.optional_string("description").value_or("");
    tool.parameters = schema_text(function, "parameters");
    tool.strict = function.optional_bool("strict").value_or(false);
    function.refuse_unknown();
    fields.refuse_unknown();
    return tool;
}

std::vector<std::string> names_of(const std::vector<Tool>& tools) {
    std::vector<std::string> out;
    for (const Tool& tool : tools) out.push_back(tool.name);
    return out;
}

void check_unique(const std::vector<Tool>& tools, const std::string& path) {
    std::vector<std::string> seen;
    for (std::size_t i = 0; i < tools.size(); ++i) {
        if (std::ranges::find(seen, tools[i].name) != seen.end()) {
            const std::string at = http::path_at(path, i) + ".function.name";
            invalid(at,
                    fmt::format("{} is '{}' a second time; give every tool a name of its own", at,
                                tools[i].name),
                    fmt::format("{} 값 '{}'이(가) 두 번 나왔습니다. 도구마다 다른 이름을 주세요.",
                                at, tools[i].name));
        }
        seen.push_back(tools[i].name);
    }
}

std::vector<Tool> read_tool_list(Fields& fields) {
    std::vector<Tool> out;
    const json::array* list = fields.optional_array("tools", limits::kTools);
    for (std::size_t i = 0; list && i < list->size(); ++i)
        out.push_back(read_tool((*list)[i], http::path_at("tools", i)));
    check_unique(out, "tools");
    return out;
}

/// {"type": "function", "function": {"name": …}}: the tool of that name.
const Tool& named_tool(Fields& choice, const std::vector<Tool>& tools) {
    Fields function = choice.required_object("function");
    const std::string name = function.required_string("name");
    function.refuse_unknown();
    const auto found = std::ranges::find(tools, name, &Tool::name);
    if (found != tools.end()) return *found;
    const std::vector<std::string> known = names_of(tools);
    const std::string shown = http::beginning(name, kShownBytes);
    const std::string meant = nearest(shown, known);
    const std::string path = function.path_of("name");
    invalid(path,
            meant.empty() ? fmt::format("{} is '{}', which is not in tools; give one of: {}", path,
                                        shown, fmt::join(known, ", "))
                          : fmt::format("{} is '{}', which is not in tools; did you mean '{}'?",
                                        path, shown, meant),
            meant.empty() ? fmt::format("{} 값 '{}'이(가) tools에 없습니다. 있는 이름: {}", path,
                                        shown, fmt::join(known, ", "))
                          : fmt::format("{} 값 '{}'이(가) tools에 없습니다. '{}'을(를) 찾으셨나요?",
                                        path, shown, meant));
}

void choose_allowed(Fields& choice, ChatInput& input) {
    Fields allowed = choice.required_object("allowed_tools");
    const std::string mode = allowed.required_string("mode");
    if (mode != "auto" && mode != "required")
        http::wrong_value(allowed.path_of("mode"), allowed.required("mode"), "auto or required",
                          "auto 또는 required");
    const json::array& list = allowed.required_array("tools", limits::kTools);
    const std::string path = allowed.path_of("tools");
    if (list.empty())
        invalid(path, path + " is empty; name at least one tool, or give tool_choice none",
                path +
                    "이(가) 비어 있습니다. 도구를 하나 이상 적거나 tool_choice를 none으로 "
                    "하세요.");
    for (std::size_t i = 0; i < list.size(); ++i) {
        Fields one = Fields::of(list[i], http::path_at(path, i));
        require_function_type(one);
        input.allowed_tools.push_back(named_tool(one, input.tools).name);
        one.refuse_unknown();
    }
    allowed.refuse_unknown();
    input.tool_choice = mode == "required" ? ToolChoice::kRequired : ToolChoice::kAuto;
}

void choose_by_word(const json::value& choice, ChatInput& input) {
    const std::string_view word = choice.get_string();
    if (word == "none") {
        input.tool_choice = ToolChoice::kNone;
    } else if (word == "required") {
        input.tool_choice = ToolChoice::kRequired;
    } else if (word != "auto") {
        http::wrong_value("tool_choice", choice,
                          "auto, none, required, or an object that names "
                          "a function",
                          "auto, none, required나 함수를 적은 객체");
    }
}

void choose_by_object(const json::value& value, ChatInput& input) {
    Fields choice = Fields::of(value, "tool_choice");
    const std::string type = choice.required_string("type");
    if (type == "allowed_tools") {
        choose_allowed(choice, input);
    } else {
        require_function_type(choice);
        input.tool_name = named_tool(choice, input.tools).name;
        input.tool_choice = ToolChoice::kNamed;
    }
    choice.refuse_unknown();
}

void read_choice(Fields& fields, ChatInput& input) {
    const json::value* choice = fields.find("tool_choice");
    if (!choice) return;
    const bool none = choice->is_string() && choice->get_string() == "none";
    if (input.tools.empty() && !none)
        invalid("tool_choice", "tool_choice needs tools; give them, or leave tool_choice out",
                "tool_choice는 tools가 있어야 쓸 수 있습니다. tools를 주거나 tool_choice를 "
                "빼세요.");
    if (choice->is_string()) {
        choose_by_word(*choice, input);
    } else if (choice->is_object()) {
        choose_by_object(*choice, input);
    } else {
        http::wrong_value("tool_choice", *choice, "a string or an object", "문자열이나 객체");
    }
}

std::string read_json_schema(Fields& format) {
    Fields given = format.required_object("json_schema");
    check_name(given.path_of("name"), given.required_string("name"));
    std::string schema = json_text(given.required_object("schema").object());
    given.optional_string("description");
    given.optional_bool("strict");  // the answer obeys its schema in every case
    given.refuse_unknown();
    return schema;
}

void read_response_format(Fields& fields, ChatInput& input) {
    auto format = fields.optional_object("response_format");
    if (!format) return;
    const std::string type = format->required_string("type");
    if (type == "json_object") {
        input.json_object = true;
    } else if (type == "json_schema") {
        input.json_schema = read_json_schema(*format);
    } else if (type != "text") {
        http::wrong_value(format->path_of("type"), format->required("type"),
                          "text, json_object or json_schema",
                          "text, json_object, json_schema 중 하나");
    }
    format->refuse_unknown();
}

[[noreturn]] void beside_tools(std::string_view name) {
    invalid(name,
            fmt::format("{} says what the answer has to be, and tools that it may call them; give "
                        "one of them, or tool_choice none",
                        name),
            fmt::format("{}은(는) 답의 꼴을 정하고 tools는 도구를 부르게 합니다. 하나만 보내거나 "
                        "tool_choice를 none으로 하세요.",
                        name));
}

}  // namespace

void require_function_type(Fields& fields, bool may_be_absent) {
    if (may_be_absent && !fields.has("type")) return;
    const std::string type = fields.required_string("type");
    if (type == "function") return;
    const std::string path = fields.path_of("type");
    if (type == "custom")
        throw_unsupported(path, {"only tools of type function can be called here",
                                 "function 형식의 도구만 부를 수 있습니다"});
    http::wrong_value(path, fields.required("type"), "function", "function");
}

void check_name(std::string_view path, std::string_view name) {
    const bool fits = !name.empty() && name.size() <= kNameBytes;
    if (fits && std::ranges::all_of(name, may_stand_in_name)) return;
    const std::string shown = http::beginning(name, kShownBytes);
    invalid(path,
            fmt::format("{} is '{}'; give 1 to {} letters a-z A-Z, digits, _ or -", path, shown,
                        kNameBytes),
            fmt::format("{} 값이 '{}'입니다. 영문자, 숫자, _, -로 1자에서 {}자까지 쓰세요.", path,
                        shown, kNameBytes));
}

void read_tools(Fields& fields, ChatInput& input) {
    for (const char* name : {"functions", "function_call"}) refuse(fields, name, kOldFunctions);
    input.tools = read_tool_list(fields);
    input.parallel_tool_calls = fields.optional_bool("parallel_tool_calls").value_or(true);
    read_choice(fields, input);
}

void read_format(Fields& fields, ChatInput& input) {
    read_response_format(fields, input);
    const bool json = input.json_object || !input.json_schema.empty();
    input.grammar = fields.optional_string("grammar").value_or("");
    if (json && !input.grammar.empty())
        invalid("grammar",
                "grammar and response_format both say what the answer has to be; give one of them",
                "grammar와 response_format이 둘 다 답의 꼴을 정합니다. 하나만 보내세요.");
    if (input.tools.empty() || input.tool_choice == ToolChoice::kNone) return;
    if (json) beside_tools("response_format");
    if (!input.grammar.empty()) beside_tools("grammar");
}

}  // namespace jikji::api
