#include "llama/chat_format.hpp"

#include <chat.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "llama/answer_format.hpp"
#include "llama/generic_tools.hpp"
#include "llama/templates.hpp"
#include "llama/tool_arguments.hpp"

namespace jikji::llama {
namespace {

/// JSON text in one form, without escapes that could hide markup.
std::string plain_json(const std::string& text) {
    const common_json value = common_json::parse_no_throw(text);
    return value.is_discarded() ? text : value.dump_safe();
}

/// Takes markup out of what comes from outside; the prompt's tokens put it back as text.
class Masker {
public:
    explicit Masker(const std::vector<std::string>& markup) {
        for (const std::string& mark : markup) {
            const bool words = std::any_of(mark.begin(), mark.end(), [](char c) {
                return std::isalpha(static_cast<unsigned char>(c)) != 0;
            });
            const bool code = mark.find_first_of("<>[]|{}_") != std::string::npos;
            if (words && code) markup_.push_back(mark);  // runs of blanks do no harm
        }
        // The longest first: <|tool_call|> before <|tool
        std::sort(markup_.begin(), markup_.end(),
                  [](const auto& a, const auto& b) { return a.size() > b.size(); });
    }

    void mask(std::string& text) {
        for (const std::string& mark : markup_) {
            for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
                if (nonce_.empty()) nonce_ = hex(random_bytes(8));
                marks.emplace_back(fmt::format("jikji-{}-{}-text", nonce_, marks.size()), mark);
                text.replace(at, mark.size(), marks.back().first);
                at += marks.back().first.size();
            }
        }
    }

    std::vector<std::pair<std::string, std::string>> marks;

private:
    std::vector<std::string> markup_;
    std::string nonce_;
};

ChatOptions masked(ChatOptions options, Masker& masker) {
    for (ChatTurn& turn : options.turns) {
        for (std::string* text :
             {&turn.content, &turn.reasoning, &turn.tool_call_id, &turn.tool_name}) {
            masker.mask(*text);
        }
        for (ParsedCall& call : turn.calls) {
            call.arguments = plain_json(call.arguments);
            for (std::string* text : {&call.id, &call.name, &call.arguments}) masker.mask(*text);
        }
    }
    for (ChatTool& tool : options.tools) {
        tool.parameters = plain_json(tool.parameters);
        masker.mask(tool.description);
        masker.mask(tool.parameters);
    }
    return options;
}

common_chat_templates_inputs inputs_of(const ChatOptions& options) {
    common_chat_templates_inputs inputs;
    for (const ChatTurn& turn : options.turns) {
        common_chat_msg message;
        message.role = turn.role;
        message.content = turn.content;
        message.reasoning_content = turn.reasoning;
        message.tool_call_id = turn.tool_call_id;
        message.tool_name = turn.tool_name;
        for (const ParsedCall& call : turn.calls) {
            message.tool_calls.push_back({call.name, call.arguments, call.id});
        }
        inputs.messages.push_back(std::move(message));
    }
    for (const ChatTool& tool : options.tools) {
        inputs.tools.push_back({tool.name, tool.description, tool.parameters});
    }
    inputs.tool_choice =
        options.must_call ? COMMON_CHAT_TOOL_CHOICE_REQUIRED : COMMON_CHAT_TOOL_CHOICE_AUTO;
    inputs.parallel_tool_calls = options.parallel_calls;
    inputs.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    inputs.enable_thinking = options.reasoning;
    return inputs;
}

void use_triggers(const common_chat_params& params, GuardOptions& guard) {
    for (const common_grammar_trigger& trigger : params.grammar_triggers) {
        switch (trigger.type) {
            case COMMON_GRAMMAR_TRIGGER_TYPE_WORD:
                guard.trigger_words.push_back(trigger.value);
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
                guard.trigger_tokens.push_back(trigger.token);
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
                guard.trigger_patterns.push_back("^" + trigger.value + "$");
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
                guard.trigger_patterns.push_back(trigger.value);
                break;
        }
    }
}

bool ends_with_text(const std::string& text, const std::string& end) {
    const auto last = text.find_last_not_of(" \n\t");
    return !end.empty() && last != std::string::npos &&
           std::string_view(text).substr(0, last + 1).ends_with(end);
}

// The model may think first where its prompt has opened that already; then the grammar is for what
// comes behind it. Where the model would open it itself, an answer with a grammar does not think.
void use_answer_grammar(const common_chat_params& params, const ChatOptions& options,
                        GuardOptions& guard) {
    guard.grammar = options.grammar;
    if (!params.supports_thinking || params.thinking_end_tags.empty()) return;
    if (!ends_with_text(params.prompt, params.thinking_start_tag)) return;
    guard.lazy = true;
    guard.wake_after = params.thinking_end_tags.front();
}

/// Its grammar is that of the calls alone, and begins with a word that begins each.
bool begins_with_call(const common_chat_params& params) {
    return params.grammar_lazy && !params.grammar.empty() && !params.grammar_triggers.empty() &&
           std::all_of(params.grammar_triggers.begin(), params.grammar_triggers.end(),
                       [](const common_grammar_trigger& trigger) {
                           return trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD;
                       });
}

// Where each call has its own marks, the library's grammar asks for none and allows any number,
// whatever was asked of it.
std::string with_exact_calls(std::string grammar, bool parallel) {
    constexpr std::string_view kLoose = "tool-calls ::= (tool-call? space)+\n";
    const auto at = grammar.find(kLoose);
    if (at == std::string::npos) return grammar;
    return grammar.replace(
        at, kLoose.size(),
        parallel ? "tool-calls ::= tool-call (space tool-call)*\n" : "tool-calls ::= tool-call\n");
}

// A call that must come comes at once: the library's own grammar for that lets the model talk
// before it, and small models then talk until they are cut off. So the grammar that else sleeps
// until a call begins is awake from the start, or from where the reasoning ends.
void use_tool_grammar(const common_chat_params& params, const ChatOptions& options,
                      GuardOptions& guard) {
    guard.grammar = with_exact_calls(params.grammar, options.parallel_calls);
    for (const ChatTool& tool : options.tools) {
        if (tool.arguments.empty()) continue;
        guard.grammar = with_arguments(std::move(guard.grammar), tool.name, tool.arguments);
    }
    guard.lazy = params.grammar_lazy;
    if (options.must_call && begins_with_call(params)) {
        guard.lazy = false;
        if (params.thinking_end_tags.empty()) return;
        if (!ends_with_text(params.prompt, params.thinking_start_tag)) return;
        guard.lazy = true;
        guard.wake_after = params.thinking_end_tags.front();
        return;
    }
    if (!params.grammar_lazy) guard.written = params.generation_prompt;
    use_triggers(params, guard);
}

bool knows_tools(const common_chat_templates* templates) {
    const auto caps = common_chat_templates_get_caps(templates);
    const auto has = [&](const char* name) {
        const auto found = caps.find(name);
        return found != caps.end() && found->second;
    };
    return has("supports_tools") && has("supports_tool_calls");
}

bool has_tool_turns(const ChatOptions& options) {
    return std::any_of(options.turns.begin(), options.turns.end(), [](const ChatTurn& turn) {
        return turn.role == "tool" || !turn.calls.empty();
    });
}

std::unique_ptr<AnswerParser> parser_of(const common_chat_params& params) {
    auto format = std::make_unique<AnswerParser::Format>();
    format->params = common_chat_parser_params(params);
    format->params.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    if (!params.parser.empty()) format->params.parser.load(params.parser);
    return std::make_unique<AnswerParser>(std::move(format));
}

}  // namespace

ChatPlan plan_chat(const common_chat_templates* templates, const ChatOptions& options,
                   const std::vector<std::string>& markup) {
    Masker masker(markup);
    const ChatOptions safe = masked(options, masker);
    ChatOptions free = safe;  // must_call is held by the grammar: see use_tool_grammar()
    free.must_call = false;
    ChatPlan plan;
    common_chat_params params;
    if ((safe.tools.empty() && !has_tool_turns(safe)) || knows_tools(templates)) {
        params = applied(templates, inputs_of(free));
        if (safe.must_call && !begins_with_call(params))
            params = applied(templates, inputs_of(safe));
        plan.prompt = params.prompt;
    } else {
        // The prompt is the model's own, parser and grammar are those of the generic form.
        const auto generic = common_chat_templates_init(nullptr, kGenericToolTemplate);
        const common_chat_params own = applied(templates, inputs_of(without_tools(safe)));
        plan.prompt = own.prompt;
        params = safe.tools.empty() ? own : applied(generic.get(), inputs_of(free));
    }
    if (!safe.tools.empty()) {
        use_tool_grammar(params, safe, plan.guard);
    } else if (!options.grammar.empty()) {
        use_answer_grammar(params, options, plan.guard);
    }
    plan.kept = params.preserved_tokens;
    plan.stop = params.additional_stops;
    plan.marks = std::move(masker.marks);
    if (!safe.tools.empty() || params.supports_thinking) plan.parser = parser_of(params);
    return plan;
}

}  // namespace jikji::llama
