#pragma once
// Where a sequence starts: from what a running one, or an earlier one, has computed of the same
// beginning. Private to the generator.
//
// Running  their cells are shared: nothing is copied.
// Earlier  out of the PrefixCache, into new cells.
// Models whose memory cannot be cut (sliding windows, recurrent) start from a whole earlier
// sequence that `tokens` goes on from, to the last token; those with windows also from a running
// one whose cells are all there.
// Never across tenants: how fast an answer comes would tell what another has asked.
// Threads: the compute thread only.
#include <memory>
#include <string>
#include <vector>

#include "engine/prefix_cache.hpp"
#include "engine/sequence.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

class PrefixReuse {
public:
    using Running = std::vector<std::unique_ptr<Sequence>>;

    /// `layout` names all that a state depends on but tokens: model file and how its weights are
    /// kept, adapter, types of K and V, RoPE. Context and cache must outlive it.
    PrefixReuse(llama::Context& context, PrefixCache& cache, const llama::Model& model,
                std::string layout)
        : context_(context),
          cache_(cache),
          whole_(!model.cuttable()),
          shares_(model.steps_back()),
          layout_(std::move(layout)) {}

    /// False: a running sequence, of a lane as urgent, computes right now what `next` begins with
    /// as well, or it is being read from the disk; ask again at the next step.
    bool ready(Sequence& next, const Running& running);

    /// Tokens at the beginning of `next` whose cells it would share with a running sequence.
    int shareable(const Sequence& next, const Running& running) const;

    /// Gives an empty sequence with an id what is known of its beginning: `computed` tokens then
    /// stand in its cells. The last token is always left: its logits are wanted. The first time it
    /// also says in `reused` how much that was.
    void start(Sequence& sequence, const Running& running);

    /// Keeps what the sequence has computed, for those that begin alike and for itself, should it
    /// come back. Its cells stay as they are.
    void keep(const Sequence& sequence);

    /// So long did a step take that computed `tokens` of prompts: what is kept is worth that.
    void measured(int tokens, double seconds);

    void poll() { cache_.poll(); }
    void wait() { cache_.wait(); }  // a moment, for what is being read

private:
    struct Source {
        const Sequence* sequence = nullptr;
        int common = 0;  // tokens
    };
    Source best_source(const Sequence& next, const Running& running) const;
    std::string root_of(const Sequence& sequence) const;
    void share_running(Sequence& sequence, const Running& running);
    void restore_kept(Sequence& sequence);

    llama::Context& context_;
    PrefixCache& cache_;
    bool whole_;   // what is kept is a whole sequence
    bool shares_;  // with those that run
    std::string layout_;
    double seconds_per_token_ = 0.001;
};

/// Tokens that both begin with.
int common_prefix(const std::vector<Token>& a, const std::vector<Token>& b);

}  // namespace jikji::engine
