// What the next step computes, how long it may take, and who pays for it.
#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "engine/generator.hpp"
#include "engine/step_plan.hpp"

namespace jikji::engine {
namespace {

constexpr int kLeastPromptTokens = 32;  // of a step that has rows: matrix products are poor below

}  // namespace

void Generator::put(Sequence& s, int count) {
    for (int i = 0; i < count; ++i) {
        const int at = s.computed + i;
        const bool last = at + 1 == static_cast<int>(s.tokens.size());
        if (last) outputs_.emplace_back(&s, static_cast<int>(batch_.size()));
        batch_.push_back({s.tokens[static_cast<std::size_t>(at)], at, s.id, last});
    }
    s.planned = count;
}

// Rows in the order of their ids, so that their cells lie as densely as they may.
void Generator::plan(int gaps) {
    batch_.clear();
    outputs_.clear();
    work_ = {};
    std::vector<Sequence*> rows;
    for (auto& s : running_) {
        s->planned = 0;
        s->draft.clear();
        if (s->prompt_done()) rows.push_back(s.get());
    }
    std::sort(rows.begin(), rows.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (const Sequence* s : rows) {
        ++work_.rows;
        work_.row_context += s->computed;
    }
    int spare = spare_rows(rows.size());
    for (Sequence* s : rows) spare -= put_row(*s, spare);
    share_with_prompts(gaps);
    counters_.step_tokens = static_cast<int>(batch_.size());
}

void Generator::share_with_prompts(int gaps) {
    std::vector<PromptPart> parts;
    std::vector<Sequence*> owners;
    for (auto& s : running_) {
        if (s->planned > 0) continue;
        const int remaining = static_cast<int>(s->tokens.size()) - s->computed;
        parts.push_back({&s->request.tenant, s->request.lane, s->rank - s->computed, s->computed,
                         remaining, 0});
        owners.push_back(s.get());
    }
    if (parts.empty()) return;
    share_step(
        parts, work_,
        {options_.gap_seconds / std::max(gaps, 1), kLeastPromptTokens, kStepTokens - work_.rows},
        costs_, shares_);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].given > 0) add_prompt(work_, parts[i].computed, parts[i].given);
        put(*owners[i], parts[i].given);
    }
}

bool Generator::nobody_wants() const {
    const auto now = std::chrono::steady_clock::now();
    return std::none_of(running_.begin(), running_.end(), [&](const SequencePtr& s) {
        const auto& deadline = s->request.deadline;
        return s->planned > 0 && s->writer->wanted() && !(deadline && now >= *deadline);
    });
}

void Generator::compute() {
    const llama::Decoded result = context_.decode(batch_, [this] { return nobody_wants(); });
    if (result == llama::Decoded::kDone) {
        charge();
        return;
    }
    outputs_.clear();
    work_ = {};
    if (result == llama::Decoded::kAborted) {  // a part of the step may stand in the cells
        for (auto& s : running_) context_.forget_from(s->id, s->computed);
        return;
    }
    // Our count of cells says that this cannot happen; if it does, somebody makes room.
    log_warn("the KV cells were full before we expected it");
    if (Sequence* least = running_.size() > 1 ? least_entitled(nullptr) : nullptr) {
        return swap_out(*least);
    }
    throw Error(ErrorCode::kInternal, "one sequence alone does not fit into the KV cells");
}

// Tenants pay for what was computed: a prompt's tokens once, an answer's as kAnswerTokenCost says.
void Generator::charge() {
    for (auto& s : running_) {
        if (s->planned == 0) continue;
        const double cost = s->prompt_done() ? kAnswerTokenCost * s->planned : s->planned;
        s->computed += s->planned;
        shares_.serve(s->request.tenant, cost);
        const double kept = std::min(cost, s->promised);
        s->promised -= kept;
        shares_.promise(s->request.tenant, -kept);
    }
}

}  // namespace jikji::engine
