#include "engine/chat_rendering.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "base/error.hpp"
#include "llama/answer_parser.hpp"
#include "llama/chat_format.hpp"
#include "llama/gbnf.hpp"
#include "llama/grammar.hpp"
#include "llama/schema_grammar.hpp"
#include "llama/tool_schema.hpp"

namespace jikji::engine {
namespace {

constexpr std::size_t kTools = 128;  // OpenAI's limit
constexpr std::size_t kNameLength = 64;
const char* const kSchemaField = "response_format.json_schema.schema";

void check_name(const std::string& name, const std::string& field) {
    const bool good =
        !name.empty() && name.size() <= kNameLength &&
        std::all_of(name.begin(), name.end(), [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-';
        });
    if (good) return;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} must be 1 to {} letters, digits, _ or -; it is '{}'", field, kNameLength,
                    name.substr(0, 100)),
        field,
        fmt::format("{}은(는) 영문자, 숫자, _, - 로 된 1~{}자여야 합니다.", field, kNameLength));
}

/// Nothing if the library's own grammar, which is looser, has to do.
std::string arguments_of(const Tool& tool, const std::string& schema, const std::string& field) {
    try {
        std::string out =
            llama::schema_grammar(tool.parameters.empty() ? schema : tool.parameters, field);
        llama::parse_gbnf(out, [](std::string_view) { return -1; });
        return out;
    } catch (const Error& cause) {
        if (!tool.strict) return {};
        if (cause.field() == field) throw;
        throw Error(cause.code(), fmt::format("{}: {}", field, cause.what()), field,
                    fmt::format("{}: {}", field, cause.korean()));
    }
}

bool may_be_called(const ChatInput& input, const std::string& name) {
    if (input.tool_choice == ToolChoice::kNone) return false;
    if (input.tool_choice == ToolChoice::kNamed) return name == input.tool_name;
    return input.allowed_tools.empty() ||
           std::ranges::find(input.allowed_tools, name) != input.allowed_tools.end();
}

std::vector<llama::ChatTool> tools_of(const ChatInput& input) {
    std::vector<llama::ChatTool> out;
    if (input.tools.size() > kTools) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("there are {} tools; {} is the limit", input.tools.size(), kTools), "tools",
            fmt::format("도구가 {}개입니다. 한도는 {}개입니다.", input.tools.size(), kTools));
    }
    std::set<std::string> names;
    for (std::size_t i = 0; i < input.tools.size(); ++i) {
        const Tool& tool = input.tools[i];
        const std::string field = fmt::format("tools[{}].function", i);
        check_name(tool.name, field + ".name");
        if (!names.insert(tool.name).second) {
            throw Error(ErrorCode::kInvalidArgument,
                        fmt::format("two tools are called '{}'", tool.name), field + ".name",
                        fmt::format("'{}'(이)라는 도구가 두 개입니다.", tool.name));
        }
        const std::string schema = llama::tool_schema(tool.parameters, field + ".parameters");
        const std::string arguments = arguments_of(tool, schema, field + ".parameters");
        if (!may_be_called(input, tool.name)) continue;
        out.push_back({tool.name, tool.description, schema, arguments});
    }
    const bool must =
        input.tool_choice == ToolChoice::kRequired || input.tool_choice == ToolChoice::kNamed;
    if (must && out.empty()) {
        throw Error(ErrorCode::kInvalidArgument,
                    input.tool_choice == ToolChoice::kNamed
                        ? fmt::format("tool_choice names '{}', which is not among the tools",
                                      input.tool_name)
                        : "tool_choice is required, but there are no tools",
                    "tool_choice", "tool_choice가 가리키는 도구가 없습니다.");
    }
    return out;
}

std::string grammar_of(const ChatInput& input, bool tools) {
    const int forms = (input.json_object ? 1 : 0) + (input.json_schema.empty() ? 0 : 1) +
                      (input.grammar.empty() ? 0 : 1);
    const char* field = input.grammar.empty() ? "response_format" : "grammar";
    if (forms > 1) {
        throw Error(ErrorCode::kInvalidArgument,
                    "response_format and grammar both say what the answer is; give one of them",
                    field, "response_format과 grammar 중 하나만 쓰세요.");
    }
    if (forms == 1 && tools) {
        throw Error(ErrorCode::kUnsupported,
                    fmt::format("{} beside tools that may be called is not supported; set "
                                "tool_choice to none, or leave it out",
                                field),
                    field, fmt::format("도구와 {}은(는) 함께 쓸 수 없습니다.", field));
    }
    if (input.json_object) return llama::json_object_grammar();
    if (!input.json_schema.empty()) return llama::schema_grammar(input.json_schema, kSchemaField);
    return input.grammar;
}

// Compiled here, in the caller's thread, so that what is wrong with it is a refusal.
void try_grammar(const llama::Model& model, const std::string& grammar, const ChatInput& input) {
    if (grammar.empty()) return;
    try {
        model.grammar(grammar);
    } catch (const Error& cause) {
        if (input.json_schema.empty()) throw;
        throw Error(cause.code(),
                    fmt::format("{} cannot be held as a grammar: {}", kSchemaField, cause.what()),
                    kSchemaField,
                    fmt::format("{}: 문법으로 바꿀 수 없습니다: {}", kSchemaField, cause.korean()));
    }
}

Constraint constraint_of(llama::GuardOptions&& guard) {
    Constraint out;
    out.grammar = std::move(guard.grammar);
    out.lazy = guard.lazy;
    out.trigger_words = std::move(guard.trigger_words);
    out.trigger_patterns = std::move(guard.trigger_patterns);
    out.trigger_tokens = std::move(guard.trigger_tokens);
    out.wake_after = std::move(guard.wake_after);
    out.kept_tokens = std::move(guard.kept_tokens);
    out.written = std::move(guard.written);
    return out;
}

}  // namespace

Rendered render_chat(const llama::Model& model, const ChatInput& input) {
    llama::ChatOptions options;
    options.tools = tools_of(input);
    options.grammar = grammar_of(input, !options.tools.empty());
    options.must_call =
        input.tool_choice == ToolChoice::kRequired || input.tool_choice == ToolChoice::kNamed;
    options.parallel_calls = input.parallel_tool_calls && input.tool_choice != ToolChoice::kNamed;
    options.reasoning = input.reasoning;
    for (const Message& message : input.messages) {
        llama::ChatTurn turn{message.role, message.content,      message.reasoning_content,
                             {},           message.tool_call_id, message.name};
        for (const ToolCall& call : message.tool_calls) {
            turn.calls.push_back({call.id, call.name, call.arguments});
        }
        options.turns.push_back(std::move(turn));
    }
    try_grammar(model, options.grammar, input);
    llama::RenderedChat rendered = model.render_chat(options);
    if (!options.tools.empty()) try_grammar(model, rendered.guard.grammar, {});
    return {std::move(rendered.tokens), constraint_of(std::move(rendered.guard)),
            std::move(rendered.stop), std::move(rendered.parser)};
}

}  // namespace jikji::engine
