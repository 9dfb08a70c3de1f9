#pragma once
// The chat lane of one model: sequences that run in one batch. Every step computes the next token
// of each running sequence and, in what room is left, the prompts of those that wait.
//
// Room: KV cells are shared. A sequence is let in if its prompt and a first stretch of its answer
// fit; if cells run out later, the youngest steps back into the queue and is computed again from
// its tokens, so no request can make another one fail.
// Prefixes: a sequence starts from what a running or an ended one has computed of the same
// beginning; one whose beginning is being computed right now waits for it.
// Threads: the compute thread only.
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <vector>

#include "engine/prefix_reuse.hpp"
#include "engine/stream.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

struct GeneratorOptions {
    int context = 4096;  // tokens of one sequence
    int cells = 8192;    // KV cells in all
    int parallel = 8;    // sequences in one batch
    int threads = 0;
    std::size_t kept_bytes = 256u << 20;  // of ended sequences, for those that begin alike
};

class Generator {
public:
    Generator(std::shared_ptr<const llama::Model> model, const GeneratorOptions& options);
    ~Generator();  // ends what runs as cancelled

    void add(GenerationRequest request, std::shared_ptr<StreamWriter> writer);
    bool idle() const { return waiting_.empty() && running_.empty(); }
    int running() const { return static_cast<int>(running_.size()); }
    int waiting() const { return static_cast<int>(waiting_.size()); }

    /// One step: admit, compute, sample, push. Errors of one sequence end that sequence.
    void step();

    /// After step() threw: the sequences of that batch end with `cause`, those that wait go on.
    void fail_running(const std::exception_ptr& cause);
    /// Those that wait as well.
    void fail_all(const std::exception_ptr& cause);

private:
    using SequencePtr = std::unique_ptr<Sequence>;

    void drop_cancelled();
    void admit();
    void make_room();
    void step_back(std::size_t index);
    void plan();
    void compute();
    void read_outputs();
    void advance(Sequence& sequence, int output);
    void emit(Sequence& sequence, Token token, std::span<const float> logits);
    void end(Sequence& sequence, Finish reason);
    void release_ended();
    int cells_used() const;

    std::shared_ptr<const llama::Model> model_;
    GeneratorOptions options_;
    llama::Context context_;
    std::deque<SequencePtr> waiting_;
    std::vector<SequencePtr> running_;  // oldest first
    std::vector<int> free_ids_;
    PrefixReuse prefixes_;
    std::vector<llama::BatchToken> batch_;
    std::vector<std::pair<Sequence*, int>> outputs_;  // whose logits stand at which batch index
};

}  // namespace jikji::engine
