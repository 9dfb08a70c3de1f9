#include "llama/answer_parser.hpp"

#include <chat.h>

namespace jikji::llama {

struct AnswerParser::Format {
    common_chat_parser_params params;
};

AnswerParser::AnswerParser(std::unique_ptr<Format> format) : format_(std::move(format)) {}
AnswerParser::~AnswerParser() = default;

ParsedAnswer AnswerParser::parse(const std::string& text, bool partial) const {
    const common_chat_msg found = common_chat_parse(text, partial, format_->params);
    ParsedAnswer out{found.content, found.reasoning_content, {}};
    for (const auto& call : found.tool_calls) {
        out.calls.push_back({call.id, call.name, call.arguments});
    }
    return out;
}

}  // namespace jikji::llama
