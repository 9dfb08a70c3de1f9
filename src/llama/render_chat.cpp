// A chat with all that may belong to it, as tokens.
#include <algorithm>

#include "base/error.hpp"
#include "llama/chat_format.hpp"
#include "llama/model.hpp"
#include "llama/templates.hpp"

namespace jikji::llama {
namespace {

bool is_plain(const ChatOptions& options) {
    return options.tools.empty() && options.reasoning &&
           std::all_of(options.turns.begin(), options.turns.end(), [](const ChatTurn& turn) {
               return turn.role != "tool" && turn.calls.empty() && turn.reasoning.empty();
           });
}

std::vector<Turn> plain_turns(const ChatOptions& options) {
    std::vector<Turn> turns;
    for (const ChatTurn& turn : options.turns) turns.push_back({turn.role, turn.content});
    return turns;
}

}  // namespace

// What the marks stand for is tokenised alone and as text; all else is ours or harmless.
std::vector<Token> Model::tokenize_marked(
    const std::string& prompt,
    const std::vector<std::pair<std::string, std::string>>& marks) const {
    std::vector<std::pair<std::size_t, std::size_t>> found;  // where, which
    for (std::size_t i = 0; i < marks.size(); ++i) {
        for (auto at = prompt.find(marks[i].first); at != std::string::npos;
             at = prompt.find(marks[i].first, at + 1)) {
            found.emplace_back(at, i);  // a template may say a thing twice
        }
    }
    std::sort(found.begin(), found.end());
    std::vector<Token> out;
    const auto append = [&](std::string_view text, bool special) {
        const auto tokens = tokenize(text, /*whole=*/out.empty(), special);
        out.insert(out.end(), tokens.begin(), tokens.end());
    };
    std::size_t from = 0;
    for (const auto& [at, which] : found) {
        append(std::string_view(prompt).substr(from, at - from), true);
        append(marks[which].second, false);
        from = at + marks[which].first.size();
    }
    append(std::string_view(prompt).substr(from), true);
    return out;
}

RenderedChat Model::render_chat(const ChatOptions& options) const {
    RenderedChat out;
    const bool plain = is_plain(options);
    if (plain) out.tokens = render(plain_turns(options));
    if (plain && !thinks_) {
        out.guard.grammar = options.grammar;
        return out;
    }
    if (!templates_) render_text({}, {});  // refuses an embedding model, in words
    ChatPlan plan = plan_chat(templates_->handle.get(), options, markup_);
    if (!plain) out.tokens = tokenize_marked(plan.prompt, plan.marks);
    out.guard = std::move(plan.guard);
    out.stop = std::move(plan.stop);
    out.parser = std::move(plan.parser);
    if (!out.parser) return out;
    for (const std::string& text : plan.kept) {
        const Token token = token_of(text);
        if (token >= 0 && !ends_generation(token)) out.guard.kept_tokens.push_back(token);
    }
    return out;
}

}  // namespace jikji::llama
