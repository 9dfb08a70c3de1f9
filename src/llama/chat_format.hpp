#pragma once
// A chat with tools, in a model's own format: its prompt, what its answer may be, and the parser of
// that answer. Through llama.cpp's common library, whose JSON ends here.
//
// Tools   a template that knows no tools gets them in its system message, in the form that most
//         small models have seen: <tool_call>{"name": …, "arguments": …}</tool_call>.
// Trust   nothing that a message, a tool's answer or a description holds becomes a control token:
//         such texts stand in the prompt as marks, and are put in as plain text (T26).
// Threads any.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "llama/answer_parser.hpp"
#include "llama/guard.hpp"

struct common_chat_templates;

namespace jikji::llama {

struct ChatTurn {
    std::string role;
    std::string content;
    std::string reasoning;
    std::vector<ParsedCall> calls;
    std::string tool_call_id;
    std::string tool_name;
};

struct ChatTool {
    std::string name;
    std::string description;
    std::string parameters;  // JSON schema, or empty
    std::string arguments;   // GBNF of what the schema lets pass; empty: the library's own
};

struct ChatOptions {
    std::vector<ChatTurn> turns;
    std::vector<ChatTool> tools;  // that may be called; empty where tool_choice is none
    bool must_call = false;
    bool parallel_calls = true;
    std::string grammar;  // GBNF of the whole answer; not beside tools
    bool reasoning = true;
};

struct ChatPlan {
    std::string prompt;
    std::vector<std::pair<std::string, std::string>>
        marks;                      // in the prompt, and what they stand for
    GuardOptions guard;             // without tokens
    std::vector<std::string> kept;  // texts of control tokens
    std::vector<std::string> stop;
    std::unique_ptr<AnswerParser> parser;  // nothing: the answer is its text
};

/// `markup`: texts that the tokenizer would take for control tokens. Throws
/// Error(kInvalidArgument) for messages or tools that the template refuses.
ChatPlan plan_chat(const common_chat_templates* templates, const ChatOptions& options,
                   const std::vector<std::string>& markup);

struct RenderedChat {
    std::vector<Token> tokens;
    GuardOptions guard;  // no grammar: any text
    std::vector<std::string> stop;
    std::shared_ptr<const AnswerParser> parser;  // nothing: the answer is its text
};

}  // namespace jikji::llama
