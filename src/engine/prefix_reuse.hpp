#pragma once
// Where a sequence starts: from what a running one, or an ended one, has computed of the same
// beginning. Private to the generator.
// Never across tenants: how fast an answer comes would tell what another has asked.
// Threads: the compute thread only.
#include <memory>
#include <vector>

#include "engine/prefix_store.hpp"
#include "engine/sequence.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

class PrefixReuse {
public:
    using Running = std::vector<std::unique_ptr<Sequence>>;

    /// `context` must outlive it.
    PrefixReuse(llama::Context& context, std::size_t bytes_max)
        : context_(context), kept_(bytes_max) {}

    /// False: a running sequence computes right now what `next` begins with as well, or it is being
    /// read from the disk; ask again at the next step.
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

private:
    struct Source {
        const Sequence* sequence = nullptr;
        int common = 0;  // tokens
    };
    static Source best_source(const Sequence& next, const Running& running);

    llama::Context& context_;
    PrefixStore kept_;
};

}  // namespace jikji::engine
