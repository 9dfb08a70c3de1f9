// What the next step computes, how long it may take, and who pays for it.
#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/log.hpp"
#include "engine/generator.hpp"
#include "engine/step_plan.hpp"

namespace jikji::engine {
namespace {

constexpr int kLeastPromptTokens = 32;  // of a step that has rows: matrix products are poor below

}  // namespace

// Rows in the order of their ids, so that their cells lie as densely as they may.
void Generator::plan(const Beside& beside) {
    rows_.clear();
    prompts_.clear();
    StepWork rows;
    for (auto& s : running_) {
        s->planned = s->prompt_done() ? 1 : 0;
        s->draft.clear();
        (s->planned > 0 ? rows_ : prompts_).push_back(s.get());
    }
    std::sort(rows_.begin(), rows_.end(), [](auto* a, auto* b) { return a->id < b->id; });
    for (const Sequence* s : rows_) add_rows(rows, s->computed, 1);
    int spare = spare_rows(rows_.size());
    for (Sequence* s : rows_) {
        const int drafted = add_draft(*s, spare, rows);
        add_rows(rows, s->computed, drafted);
        spare -= drafted;
    }
    const bool someone_waits = beside.answers || !rows_.empty();
    share_with_prompts(someone_waits ? options_.gap_seconds / std::max(beside.lanes, 1) -
                                           (rows_.empty() ? 0 : costs_.seconds(rows))
                                     : std::numeric_limits<double>::infinity());
    counters_.step_tokens = 0;
}

void Generator::share_with_prompts(double seconds) {
    std::vector<PromptPart> parts;
    for (Sequence* s : prompts_) {
        const int remaining = static_cast<int>(s->tokens.size()) - s->computed;
        parts.push_back({&s->request.tenant, s->request.lane, s->rank - s->computed, s->computed,
                         remaining, 0});
    }
    StepLimits limits;
    limits.seconds = seconds;
    limits.least = kLeastPromptTokens;
    limits.most = kStepTokens;
    share_step(parts, limits, costs_, shares_);
    for (std::size_t i = 0; i < parts.size(); ++i) prompts_[i]->planned = parts[i].given;
    std::erase_if(prompts_, [](const Sequence* s) { return s->planned == 0; });
}

void Generator::put(const Sequence& s) {
    int at = s.computed;
    for (const int end = at + s.planned - static_cast<int>(s.draft.size()); at < end; ++at) {
        const bool last = at + 1 == static_cast<int>(s.tokens.size());
        batch_.push_back({s.tokens[static_cast<std::size_t>(at)], at, s.id, last});
    }
    for (const Token token : s.draft) batch_.push_back({token, at++, s.id, true});
}

bool Generator::nobody_wants(const std::vector<Sequence*>& part) const {
    const auto now = std::chrono::steady_clock::now();
    return std::none_of(part.begin(), part.end(), [&](const Sequence* s) {
        const auto& deadline = s->request.deadline;
        return s->writer->wanted() && !(deadline && now >= *deadline);
    });
}

// Rows and prompts are computed apart. In one pass the weights would be read once less; but passes
// of many tokens are computed by other kernels, which round otherwise (bf16), and a stream's text
// would change with what its neighbours send. Apart, rows meet the same kernels at any load, and
// their tokens are on their way before the prompts begin.
void Generator::compute(const std::vector<Sequence*>& part) {
    batch_.clear();
    StepWork work;
    for (const Sequence* s : part) {
        put(*s);
        if (s->prompt_done()) {
            add_rows(work, s->computed, s->planned);
        } else {
            add_prompt(work, s->computed, s->planned);
        }
    }
    if (batch_.empty()) return;
    const auto start = std::chrono::steady_clock::now();
    const llama::Decoded result = context_.decode(batch_, [&] { return nobody_wants(part); });
    if (result != llama::Decoded::kDone) return give_up(part, result);
    charge(part);
    read_outputs(part);
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    costs_.observe(work, time.count());
    if (work.prompt > 0) prefixes_.measured(work.prompt, time.count());
    counters_.step_tokens += static_cast<int>(batch_.size());
}

void Generator::give_up(const std::vector<Sequence*>& part, llama::Decoded result) {
    if (result == llama::Decoded::kAborted) {  // some of its tokens may stand in the cells
        for (const Sequence* s : part) context_.forget_from(s->id, s->computed);
        return;
    }
    // Our count of cells says that this cannot happen; if it does, somebody makes room.
    log_warn("the KV cells were full before we expected it");
    if (running_.size() < 2) {
        throw Error(ErrorCode::kInternal, "one sequence alone does not fit into the KV cells");
    }
    swap_out(*least_entitled(nullptr));
}

// Tenants pay for what was computed: a prompt's tokens once, an answer's as kAnswerTokenCost says.
void Generator::charge(const std::vector<Sequence*>& part) {
    for (Sequence* s : part) {
        const double cost = s->prompt_done() ? kAnswerTokenCost * s->planned : s->planned;
        s->computed += s->planned;
        shares_.serve(s->request.tenant, cost);
        const double kept = std::min(cost, s->promised);
        s->promised -= kept;
        shares_.promise(s->request.tenant, -kept);
    }
}

}  // namespace jikji::engine
