// Tokens that are computed before they are chosen: where a grammar leaves one text, and where an
// answer quotes its prompt or itself (prompt_lookup.hpp). Each is kept only if the sampler chooses
// it, from the same logits as without, so nothing but the speed changes.
#include <algorithm>

#include "base/error.hpp"
#include "engine/generator.hpp"
#include "engine/sequence.hpp"

namespace jikji::engine {
namespace {

// Rows of a step with drafts. From 32 on attention and some products are computed by other kernels,
// whose rounding differs: a guess must not change the text of a neighbour.
constexpr int kRowsMost = 31;

// This runs while the whole batch is planned, where an error would end every sequence. What the
// grammar cannot do is said again where the next token is chosen, and ends this sequence alone.
std::vector<Token> forced_tokens(const Sequence& s, int most) {
    try {
        return s.sampler.forced_tokens(static_cast<std::size_t>(most));
    } catch (const Error&) {
        return {};
    }
}

}  // namespace

/// How many rows beside one for each of `rows` sequences the next step may have.
int Generator::spare_rows(std::size_t rows) const {
    if (!model_->steps_back()) return 0;  // a wrong guess is cut off again
    const int cells = options_.cells - cells_used();
    return std::clamp(std::min(kRowsMost - static_cast<int>(rows), cells), 0, kDraftRowsMost);
}

/// Not beside a prompt, whose tokens are sure and use the machine as well. What a grammar forces is
/// as sure, and is no guess.
bool Generator::may_guess() const {
    return options_.speculation && prompts_.empty() && waiting_.empty();
}

/// What to compute behind the last token of `s`, at most `spare` tokens. `rows`: the others' so
/// far.
std::vector<Token> Generator::draft_for(Sequence& s, int spare, const StepWork& rows) const {
    const int most = std::min({spare, s.left() - 1, PromptLookup::kLongest});
    if (most <= 0) return {};
    if (s.constrained()) {
        auto forced = forced_tokens(s, most);
        if (!forced.empty()) return forced;
    }
    if (!may_guess()) return {};
    s.lookup.follow(s.tokens);
    auto found = s.lookup.propose(s.tokens, most);
    if (found.empty()) return found;
    const auto seconds = [&](int count) {
        StepWork work = rows;
        add_rows(work, s.computed, count);
        return costs_.seconds(work);
    };
    const int worth = s.lookup.worth(static_cast<int>(found.size()), rows.rows, seconds);
    found.resize(static_cast<std::size_t>(worth));
    return found;
}

/// One row more for each token of its draft. Returns how many.
int Generator::add_draft(Sequence& s, int spare, const StepWork& rows) {
    s.draft = draft_for(s, spare, rows);
    const int drafted = static_cast<int>(s.draft.size());
    s.planned += drafted;
    counters_.drafted += drafted;
    return drafted;
}

/// The token behind each row, as long as the draft says the same; what was computed in vain leaves
/// the cells.
void Generator::advance(Sequence& s, int output) {
    const int before = s.computed - static_cast<int>(s.draft.size());  // the first row's included
    int held = 0;
    for (const Token guess : s.draft) {
        choose(s, output + held);
        if (s.ended || s.tokens.back() != guess) break;
        ++held;
    }
    const bool all = held == static_cast<int>(s.draft.size());
    if (all && !s.ended) choose(s, output + held);
    counters_.held += held;
    if (!all) {
        s.computed = before + held;
        context_.forget_from(s.id, s.computed);
    }
    s.draft.clear();
}

}  // namespace jikji::engine
