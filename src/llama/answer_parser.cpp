#include "llama/answer_parser.hpp"

#include "llama/answer_format.hpp"

namespace jikji::llama {

AnswerParser::AnswerParser(std::unique_ptr<Format> format) : format_(std::move(format)) {}
AnswerParser::~AnswerParser() = default;

ParsedAnswer AnswerParser::parse(const std::string& text, bool partial) const {
    try {
        const common_chat_msg found = common_chat_parse(text, partial, format_->params);
        ParsedAnswer out{found.content, found.reasoning_content, {}};
        for (const auto& call : found.tool_calls) {
            out.calls.push_back({call.id, call.name, call.arguments});
        }
        return out;
    } catch (const std::exception&) {
        // Half a text that fits nothing yet may fit later; a whole one is just text.
        return partial ? ParsedAnswer{} : ParsedAnswer{text, {}, {}};
    }
}

}  // namespace jikji::llama
