#pragma once
// One prompt and its continuation on their way through the generator. Private to it.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "engine/fair_queue.hpp"
#include "engine/prompt_lookup.hpp"
#include "engine/stream.hpp"
#include "engine/text_filter.hpp"
#include "engine/waiting_room.hpp"
#include "llama/sampler.hpp"

namespace jikji::engine {

llama::SamplerOptions sampler_options(const Sampling& sampling);
/// Nothing where any text will do.
std::unique_ptr<llama::Guard> guard_of(const Constraint& constraint, const llama::Model& model);

struct Sequence {
    Sequence(GenerationRequest r, std::shared_ptr<StreamWriter> w, const llama::Model& model)
        : request(std::move(r)),
          writer(std::move(w)),
          sampler(model, sampler_options(request.sampling), guard_of(request.constraint, model)),
          filter(request.stop),
          tokens(request.prompt) {
        for (const Token token : request.prompt) sampler.accept_prompt(token);
    }

    int left() const {  // tokens that may still be made
        return request.max_tokens - made;
    }
    bool constrained() const { return !request.constraint.grammar.empty(); }
    bool prompt_done() const { return computed + 1 >= static_cast<int>(tokens.size()); }

    GenerationRequest request;
    std::shared_ptr<StreamWriter> writer;
    llama::Sampler sampler;
    TextFilter filter;
    std::vector<Token> tokens;  // prompt, then what was made
    PromptLookup lookup;
    std::vector<Token> draft;  // of this step: guesses behind the last token
    int id = -1;               // llama's sequence id while running
    int computed = 0;          // tokens whose KV is there
    int reused = 0;            // of the prompt, not computed by this sequence
    int planned = 0;           // tokens of this step
    int made = 0;
    bool fetched = false;  // what the disk has of its beginning was asked for
    bool started = false;  // it has run before, if only to step back
    bool ended = false;

    // Its place in the queue, and what it stands for there; see admission.cpp.
    Ticket ticket = 0;
    WaitingRoom::Place place;          // until it starts
    double rank = 0;                   // among its tenant's; the lowest first
    double promised = 0;               // tokens that it will probably still take
    bool length_given = true;          // max_tokens came from outside
    std::string saved;                 // its cells while it is swapped out
    int saved_tokens = 0;              // that stand in them
    const Sequence* source = nullptr;  // whose cells it shares:
    int shared = 0;                    // so many, from position 0
    std::chrono::steady_clock::time_point came = std::chrono::steady_clock::now();
};

}  // namespace jikji::engine
