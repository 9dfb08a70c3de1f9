#pragma once
// From the text that a model writes to what it means: content, reasoning, calls of tools. How they
// are marked in the text is the model's own affair; its template's parser (llama/answer_parser.hpp)
// knows.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.hpp"

namespace jikji::llama {
class AnswerParser;
}

namespace jikji::engine {

using llama::AnswerParser;

/// What is new since the last one. A call's id and name come once, whole, in the delta in which its
/// index first appears; its arguments, a JSON text, come in parts that are appended. Indices count
/// from 0, and a call's parts end before the next call's begin.
struct AnswerDelta {
    struct Call {
        int index = 0;
        std::string id;         // "call_…", or the model's own; empty after the first
        std::string name;       // empty after the first
        std::string arguments;  // may be empty
    };
    std::string content;
    std::string reasoning_content;
    std::vector<Call> calls;

    bool empty() const { return content.empty() && reasoning_content.empty() && calls.empty(); }
};

/// The whole answer so far.
struct Answer {
    std::string content;
    std::string reasoning_content;
    std::vector<ToolCall> calls;
};

/// Reads one answer as it is written. Nothing that was given out is ever taken back: what later
/// text could change is held until it cannot. Threads: one at a time; the parser may be shared.
class AnswerReader {
public:
    /// Without a parser all text is content.
    explicit AnswerReader(std::shared_ptr<const AnswerParser> parser);

    /// Takes what a piece brings.
    AnswerDelta add(const Piece& piece);
    /// The same where nobody wants the delta: finish() then gives it.
    void hold(const Piece& piece);
    /// After the last piece, once: what was still held. A call that was cut off by max_tokens keeps
    /// the arguments that it has. Text that is not in the model's format is content.
    AnswerDelta finish();

    /// Sum of all deltas.
    const Answer& answer() const { return sent_; }

    /// After finish(): tokens of the text up to the end of its reasoning, with what marks its
    /// beginning; to a piece, which mostly is a token. Nothing where reasoning does not stand in
    /// the text as one part.
    std::optional<int> reasoning_tokens() const;

private:
    AnswerDelta as_content();  // what was not given out yet, without a parser
    AnswerDelta delta_to(const Answer& now, bool last);

    std::shared_ptr<const AnswerParser> parser_;
    std::string text_;
    struct Mark {
        std::size_t end;  // of a piece in text_
        int tokens;       // up to there
    };
    std::vector<Mark> marks_;
    std::size_t parsed_ = 0;  // bytes of text_ that the last parse saw
    Answer sent_;
};

}  // namespace jikji::engine
