#pragma once
// One llama context: the memory of running sequences, and the step that computes them.
// Threads: one at a time, always the same (the engine's compute thread).
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "llama/adapter.hpp"
#include "llama/free_cores.hpp"
#include "llama/model.hpp"

struct llama_batch;
struct llama_context;

namespace jikji::llama {

struct ContextOptions {
    int cells = 4096;  // KV cells, shared by all sequences
    int sequences = 1;
    int batch = 2048;         // tokens of one decode() call
    int microbatch = 512;     // tokens of one pass through the weights
    int outputs = 0;          // tokens of one decode() whose logits are wanted; 0 = sequences
    int threads = 0;          // 0 = as many as the machine has for arithmetic
    bool embeddings = false;  // pooled vectors instead of logits
    std::filesystem::path adapter = {};  // LoRA for all sequences of it, see adapter.hpp
    float adapter_scale = 1;             // beside alpha / rank; 0 = as if there were none
};

struct BatchToken {
    Token token;
    int position;  // in its sequence, from 0
    int sequence;
    bool output;  // logits wanted
};

enum class Decoded { kDone, kNoRoom, kAborted };

class Context {
public:
    /// Throws Error(kRejected) if there is too little memory, and as Adapter.
    Context(std::shared_ptr<const Model> model, const ContextOptions& options);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    /// Computes the tokens. kNoRoom leaves everything as it was. Throws Error(kInternal) if
    /// libllama fails otherwise. Up to options.batch tokens. `unwanted` is asked between operations
    /// (on the CPU); true ends the step with kAborted: some of its tokens may stand in the cells,
    /// so take out with forget_from() what you do not count on.
    Decoded decode(std::span<const BatchToken> tokens, const std::function<bool()>& unwanted = {});

    /// vocabulary() floats of the token at `index` of the last decode(), which had `output` set.
    /// Valid until the next decode().
    std::span<float> logits(int index);

    /// Pooled vectors of whole texts, one after the other in `tokens` (options.embeddings):
    /// text i is sequence i. Rows of dimensions() floats, not normalised.
    std::vector<std::vector<float>> encode(std::span<const std::vector<Token>> texts);

    void forget(int sequence);  // all of its cells
    void forget_from(int sequence, int position);
    /// `to` then shares the cells of `from` at positions 0..end-1.
    void share(int from, int to, int end);

    /// What the sequence has computed, as bytes; empty if it cannot be saved.
    std::string save(int sequence) const;
    /// Puts it into a sequence that is empty. False, and the sequence stays empty, if there is no
    /// room.
    bool restore(int sequence, std::string_view state);

    /// No cell of its tokens has left. Behind a sliding window libllama gives cells away, even
    /// those of the full size: then what share() gives would be less than it seems.
    bool holds_all(int sequence) const;

    /// As save() and restore(), of positions start..end-1 alone. Requires: model.cuttable().
    std::string save_range(int sequence, int start, int end);
    /// `state` is of a range that holds start..end-1; these are added to what the sequence has.
    /// Needs free cells for the whole of `state`. False, and nothing changed, if it does not fit.
    bool restore_range(int sequence, std::string_view state, int start, int end);

private:
    struct Free {
        void operator()(llama_context* context) const noexcept;
    };
    void set_adapter();
    int compute(const llama_batch& batch);
    int scratch() const { return options_.sequences; }  // a sequence for copies of ranges

    std::shared_ptr<const Model> model_;
    std::unique_ptr<Adapter> adapter_;
    std::unique_ptr<llama_context, Free> context_;
    ContextOptions options_;
    FreeCores cores_;
};

/// Threads that arithmetic should use on this machine: its physical cores.
int arithmetic_threads();

}  // namespace jikji::llama
