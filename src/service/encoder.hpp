#pragma once
// What documents need of an embedding model. Plain functions, so that tests can do without one.
// Threads: any but the IO thread.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/request.hpp"
#include "service/caller.hpp"

namespace jikji::service {

class Embeddings;

struct Encoder {
    std::string model;  // its name: vectors of two models cannot be compared
    /// One vector of length 1 per text; texts over the model's context are cut. Tenants take turns
    /// and share no vectors; what the caller has no patience for ends as Error(kTimeout) or
    /// Error(kCancelled).
    std::function<std::vector<std::vector<float>>(const std::vector<std::string>&, engine::Side,
                                                  const Caller&)>
        embed;
    /// Tokens of a text, without specials and prefix.
    std::function<int(std::string_view)> count_tokens;
};

/// The default embedding model's. `embeddings` has to outlive it.
Encoder encoder_of(Embeddings& embeddings);

}  // namespace jikji::service
