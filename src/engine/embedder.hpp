#pragma once
// The embedding lane of one model: whole texts packed into passes of a few hundredths of a second,
// so that chat gets its turn between them. Texts of several requests share a pass: tenants take
// turns, then a tenant's requests, a text at a time, so that one question does not wait for a whole
// document. A text that was asked twice is computed once.
//
// Threads  the compute thread only, but for the future.
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "encoder/encoder.hpp"
#include "engine/request.hpp"
#include "engine/vector_cache.hpp"
#include "engine/waiting_room.hpp"
#include "llama/context.hpp"

namespace jikji::engine {

struct EmbedderOptions {
    int threads = 0;  // 0 = the machine's physical cores
    std::size_t cache_bytes = 32U << 20;
};

/// Where the vectors of one request go.
struct EmbeddingDelivery {
    std::promise<EmbeddingResult> promise;
    std::function<void()> ready = {};  // called when the promise has been kept; it only posts
    WaitingRoom::Place place = {};     // until then
};

/// What a pass computes with: our own forward pass, or libllama for models that it does not know.
class EmbeddingBackend {
public:
    /// `own` may be null: then `model` holds the weights, too.
    EmbeddingBackend(std::shared_ptr<const llama::Model> model,
                     std::unique_ptr<encoder::Encoder> own, int threads);

    std::vector<std::vector<float>> encode(const std::vector<std::vector<Token>>& texts);
    std::size_t tokens_max() const;  // of one pass, if it has more than one text
    std::size_t texts_max() const;

private:
    std::unique_ptr<encoder::Encoder> own_;
    llama::FreeCores cores_;
    std::unique_ptr<llama::Context> context_;
    double seconds_per_token_ = 1e-4;  // of own passes, lately
};

class Embedder {
public:
    Embedder(std::shared_ptr<const llama::Model> model, std::unique_ptr<encoder::Encoder> own,
             const EmbedderOptions& options);
    /// Ends what is still waiting as fail_all(), with an Error(kStopping).
    ~Embedder();
    Embedder(const Embedder&) = delete;
    Embedder& operator=(const Embedder&) = delete;

    /// Tokens that one text may have.
    static int context_of(const llama::Model& model);

    void add(EmbeddingRequest request, EmbeddingDelivery delivery);
    bool idle() const { return lines_.empty(); }

    /// One pass. A failure ends the requests whose texts it held; one whose patience is
    /// over ends before it, as Error(kCancelled) or Error(kTimeout).
    void step();

    void fail_all(const std::exception_ptr& cause);
    /// Vectors that are kept for that tenant; what is under way goes on.
    void forget(const std::string& tenant) { cache_.forget(tenant); }

    std::uint64_t computed() const { return computed_; }  // texts, since it was loaded
    std::uint64_t cached() const { return cached_; }      // texts that needed no computing

private:
    struct Text;
    struct Job {
        EmbeddingRequest request;
        EmbeddingDelivery delivery;
        EmbeddingResult result;
        std::size_t missing = 0;  // rows
        bool ended = false;
        std::deque<std::shared_ptr<Text>> texts;  // that may still have to be computed
    };
    struct Text {
        std::string key;  // of the cache
        std::vector<Token> tokens;
        bool taken = false;                                            // into a pass
        std::vector<std::pair<std::weak_ptr<Job>, std::size_t>> for_;  // job and row
    };
    using JobPtr = std::shared_ptr<Job>;
    using TextPtr = std::shared_ptr<Text>;
    struct Line {
        std::string tenant;
        std::list<JobPtr> jobs;  // whose turn is next stands first
    };

    void want(const JobPtr& job, std::size_t index);
    std::list<JobPtr>& line_of(const std::string& tenant);
    static TextPtr next_of(Line& line, std::size_t room);
    TextPtr next_text(std::size_t room);
    std::vector<TextPtr> take_pass();
    void deliver(const Text& text, std::vector<float> row);
    void end_unwanted();
    void sweep();
    static void end(Job& job, const std::exception_ptr& cause);
    static void finish(Job& job);

    EmbeddingBackend backend_;
    VectorCache cache_;
    std::list<Line> lines_;  // one per tenant that waits; whose turn is next stands first
    std::unordered_map<std::string, std::weak_ptr<Text>> wanted_;  // by key: not computed yet
    std::uint64_t computed_ = 0;
    std::uint64_t cached_ = 0;
};

}  // namespace jikji::engine
