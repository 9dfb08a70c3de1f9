#pragma once
// The text of an answer in a model's own format, taken apart by llama.cpp's common library.
#include <memory>
#include <string>
#include <vector>

namespace jikji::llama {

struct ParsedCall {
    std::string id;  // empty where the format has none
    std::string name;
    std::string arguments;  // JSON text; a part of one while `partial`
};

struct ParsedAnswer {
    std::string content;
    std::string reasoning_content;
    std::vector<ParsedCall> calls;
};

/// Made by Model::render(ChatInput). Threads: const, any.
class AnswerParser {
public:
    struct Format;  // of the common library, in answer_parser.cpp
    explicit AnswerParser(std::unique_ptr<Format> format);
    ~AnswerParser();

    /// All text so far; `partial`: more may come. Text that is not in the format is content.
    ParsedAnswer parse(const std::string& text, bool partial) const;

private:
    std::unique_ptr<Format> format_;
};

}  // namespace jikji::llama
