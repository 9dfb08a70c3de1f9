#pragma once
// The embedding lane of one model: whole texts packed into small passes, so that chat gets its
// turn between them. Threads: the compute thread only, but for the future.
#include <deque>
#include <future>
#include <memory>
#include <vector>

#include "engine/request.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

class Embedder {
public:
    Embedder(std::shared_ptr<const llama::Model> model, int threads);

    /// Tokens that one text may have.
    static int context_of(const llama::Model& model);

    void add(EmbeddingRequest request, std::promise<EmbeddingResult> promise);
    bool idle() const { return jobs_.empty(); }

    /// One pass. A failure ends the job that it belongs to.
    void step();

private:
    struct Job {
        EmbeddingRequest request;
        std::promise<EmbeddingResult> promise;
        std::vector<std::size_t> order;  // by length, so that a pass holds texts of like length
        std::size_t next = 0;            // in `order`
        EmbeddingResult result;
    };
    std::size_t pass_end(const Job& job) const;
    void compute(Job& job, std::size_t end);

    llama::Context context_;
    std::deque<Job> jobs_;
};

}  // namespace jikji::engine
