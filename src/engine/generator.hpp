#pragma once
// The chat lane of one model: sequences that run in one batch. Every step computes the next token
// of each running sequence and as many tokens of prompts as fit into the gap that streams tolerate
// (step_plan.hpp, cost_model.hpp).
//
// Order: fair between tenants, short before long (fair_queue.hpp). A tenant that has nothing
// running gets a place at once if another has two; an interactive request gets that of a batch one.
// Room: KV cells are shared. A sequence is let in if its prompt and its answer fit, as far as the
// answer's length is known; if cells run out later, whoever is entitled least is swapped to memory
// and comes back as it was, so no request can make another one fail.
// Prefixes: a sequence starts from what a running or an ended one has computed of the same
// beginning; one whose beginning is being computed right now waits for it.
// Threads: the compute thread only.
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/cost_model.hpp"
#include "engine/fair_queue.hpp"
#include "engine/prefix_reuse.hpp"
#include "engine/stream.hpp"
#include "engine/waiting_room.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

/// Tokens of one step: one pass through the weights. More would only make those wait that are
/// already being answered.
inline constexpr int kStepTokens = 512;

/// Tokens of one step that are computed before they are chosen (speculation.cpp).
inline constexpr int kDraftRowsMost = 30;

struct GeneratorOptions {
    int context = 4096;  // tokens of one sequence
    int cells = 8192;    // KV cells in all
    int parallel = 16;   // sequences in one batch
    int threads = 0;
    double gap_seconds = 0.1;  // between two tokens of an answer while others' prompts come
    std::size_t swap_bytes = 512u << 20;  // of sequences that wait; beyond, they are computed again
    std::string layout;                   // see PrefixReuse
    bool speculation = true;              // see speculation.cpp
    std::filesystem::path adapter;        // for all of its sequences; empty = none
};

/// The lanes of a machine take turns, step by step.
struct Beside {
    int lanes = 1;  // that have work, this one included: they share the gap between two tokens
    bool answers = false;  // another one is amid an answer, which waits while this one computes
};

class Generator {
public:
    /// `cache` must outlive it.
    Generator(std::shared_ptr<const llama::Model> model, const GeneratorOptions& options,
              PrefixCache& cache);
    ~Generator();  // ends what runs as cancelled

    /// Of the context that such a lane makes, to see beforehand whether there is room for it.
    static llama::ContextOptions context_options(const GeneratorOptions& options);

    /// `place`: given back when it starts, or ends without having started.
    void add(GenerationRequest request, std::shared_ptr<StreamWriter> writer,
             WaitingRoom::Place place = {});
    bool idle() const { return waiting_.empty() && running_.empty(); }
    int running() const { return static_cast<int>(running_.size()); }
    int waiting() const { return static_cast<int>(waiting_.size()); }
    int swapped_out() const;  // of these

    bool answering() const;  // one that runs gets its next token at each step

    /// One step: admit, compute, sample, push. Errors of one sequence end that sequence.
    void step(const Beside& beside = {});

    /// Time of the machine that all that is here will probably take.
    double seconds_left() const;

    struct Counters {
        std::int64_t swapped = 0;  // sequences that made room, so far
        int step_tokens = 0;       // of the last step
        std::int64_t drafted = 0;  // tokens computed before they were chosen, so far
        std::int64_t held = 0;     // of these, chosen
        double wait_seconds = 0;   // in the queue, of those that started lately (moving average)
    };
    const Counters& counters() const { return counters_; }

    /// After step() threw: the sequences of that batch end with `cause`, those that wait go on.
    void fail_running(const std::exception_ptr& cause);
    /// Those that wait as well.
    void fail_all(const std::exception_ptr& cause);

private:
    using SequencePtr = std::unique_ptr<Sequence>;

    // generator.cpp: the end of sequences, and what they made
    void drop_cancelled();
    bool ended_from_outside(Sequence& sequence);
    void release(Sequence& sequence);
    void keep(const Sequence& sequence) noexcept;

    // admission.cpp: who runs
    void admit();
    bool admit_next();
    FairQueue::Verdict judge(Sequence& next, bool& blocked);
    bool fits(const Sequence& next) const;
    void start(SequencePtr next);
    bool restore(Sequence& sequence);
    void make_room();
    bool make_room_for(const Sequence& next);
    Sequence* least_entitled(const Sequence* rival) const;
    void swap_out(Sequence& sequence);
    void leave_cells(Sequence& sequence);
    int running_of(const std::string& tenant) const;
    void enqueue(SequencePtr sequence, bool again);
    int answer_expected(const Sequence& sequence) const;
    double cost_expected(const Sequence& sequence) const;
    int reserve(const Sequence& sequence) const;
    int cells_used() const;
    int cells_reserved() const;

    // planning.cpp: what the next step computes
    void plan(const Beside& beside);
    void share_with_prompts(double seconds);
    void compute(const std::vector<Sequence*>& part);
    void put(const Sequence& sequence);
    bool nobody_wants(const std::vector<Sequence*>& part) const;
    void give_up(const std::vector<Sequence*>& part, llama::Decoded result);
    void charge(const std::vector<Sequence*>& part);

    // speculation.cpp: tokens that are computed before they are chosen
    int spare_rows(std::size_t rows) const;
    bool may_guess() const;
    std::vector<Token> draft_for(Sequence& sequence, int spare, const StepWork& rows) const;
    int add_draft(Sequence& sequence, int spare, const StepWork& rows);
    void advance(Sequence& sequence, int output);

    // generator.cpp: what a step made
    void read_outputs(const std::vector<Sequence*>& part);
    void choose(Sequence& sequence, int output);
    void emit(Sequence& sequence, Token token, std::span<const float> logits);
    void end(Sequence& sequence, Finish reason);
    void release_ended();

    std::shared_ptr<const llama::Model> model_;
    GeneratorOptions options_;
    llama::Context context_;
    std::map<Ticket, SequencePtr> waiting_;
    std::vector<SequencePtr> running_;  // oldest first
    std::set<int> free_ids_;
    Shares shares_;
    FairQueue queue_{shares_};  // of waiting_
    Ticket next_ticket_ = 1;
    CostModel costs_;
    double answer_typical_ = 128;  // tokens of those that ended lately (moving average)
    std::size_t saved_bytes_ = 0;  // of those that are swapped out
    Counters counters_;
    PrefixReuse prefixes_;
    std::vector<llama::BatchToken> batch_;
    std::vector<Sequence*> rows_;     // of this step: those that get their next token
    std::vector<Sequence*> prompts_;  // and those whose prompts get on
};

}  // namespace jikji::engine
