#include "engine/answer_reader.hpp"

#include <algorithm>
#include <utility>

#include "base/ids.hpp"
#include "llama/answer_parser.hpp"

namespace jikji::engine {
namespace {

/// What `now` has beyond `sent`, or nothing while it is not a continuation of it.
std::string beyond(const std::string& sent, const std::string& now) {
    return now.starts_with(sent) ? now.substr(sent.size()) : std::string();
}

std::string new_call_id() { return "call_" + hex(random_bytes(12)); }

}  // namespace

AnswerReader::AnswerReader(std::shared_ptr<const AnswerParser> parser)
    : parser_(std::move(parser)) {}

void AnswerReader::hold(const Piece& piece) {
    text_ += piece.text;
    if (!parser_) return;
    marks_.push_back({text_.size(), piece.tokens + (marks_.empty() ? 0 : marks_.back().tokens)});
}

AnswerDelta AnswerReader::add(const Piece& piece) {
    hold(piece);
    if (!parser_) return as_content();
    // Every parse reads the whole text: in a long one they become rarer, so that their sum stays
    // linear.
    if (text_.size() - parsed_ < text_.size() / 64) return {};
    parsed_ = text_.size();
    const llama::ParsedAnswer found = parser_->parse(text_, /*partial=*/true);
    Answer now{found.content, found.reasoning_content, {}};
    for (const auto& call : found.calls) now.calls.push_back({call.id, call.name, call.arguments});
    return delta_to(now, false);
}

AnswerDelta AnswerReader::finish() {
    if (!parser_) return as_content();
    const llama::ParsedAnswer found = parser_->parse(text_, /*partial=*/false);
    Answer now{found.content, found.reasoning_content, {}};
    for (const auto& call : found.calls) now.calls.push_back({call.id, call.name, call.arguments});
    return delta_to(now, true);
}

AnswerDelta AnswerReader::as_content() {
    AnswerDelta delta{std::exchange(text_, {}), {}, {}};
    sent_.content += delta.content;
    return delta;
}

std::optional<int> AnswerReader::reasoning_tokens() const {
    const std::string& reasoning = sent_.reasoning_content;
    if (reasoning.empty()) return 0;
    const std::size_t at = text_.find(reasoning);
    if (at == std::string::npos) return std::nullopt;
    const std::size_t end = at + reasoning.size();
    const auto last = std::find_if(marks_.begin(), marks_.end(),
                                   [&](const Mark& mark) { return mark.end >= end; });
    return last == marks_.end() ? std::nullopt : std::optional<int>(last->tokens);
}

AnswerDelta AnswerReader::delta_to(const Answer& now, bool last) {
    AnswerDelta delta;
    delta.content = beyond(sent_.content, now.content);
    delta.reasoning_content = beyond(sent_.reasoning_content, now.reasoning_content);
    sent_.content += delta.content;
    sent_.reasoning_content += delta.reasoning_content;
    for (std::size_t i = 0; i < now.calls.size(); ++i) {
        const ToolCall& call = now.calls[i];
        AnswerDelta::Call part;
        part.index = static_cast<int>(i);
        if (i >= sent_.calls.size()) {
            // A name is whole once something stands behind it.
            const bool named = last || !call.arguments.empty() || i + 1 < now.calls.size();
            if (!named || call.name.empty()) break;
            part.id = call.id.empty() ? new_call_id() : call.id;
            part.name = call.name;
            sent_.calls.push_back({part.id, part.name, {}});
        }
        part.arguments = beyond(sent_.calls[i].arguments, call.arguments);
        sent_.calls[i].arguments += part.arguments;
        if (!part.id.empty() || !part.arguments.empty()) delta.calls.push_back(std::move(part));
    }
    return delta;
}

}  // namespace jikji::engine
