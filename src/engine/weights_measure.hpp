#pragma once
// What weights.cpp measures. Threads: one at a time.
#include <memory>
#include <string_view>

#include "engine/weights.hpp"
#include "llama/model.hpp"
#include "models/weights_cache.hpp"

namespace jikji::engine {

/// Measures two forms of one model in turn (A B A B A B) and fills the rates with the best of each;
/// `b` may be null. Returns which part of the threads' time was ours: ggml's threads wait busily,
/// so it is about 1 unless other programs ran.
struct Contender {
    std::shared_ptr<const llama::Model> model;
    models::MeasuredLayout* result;
};
double measure_rates(const Contender& a, const Contender* b, int threads);

/// On the fixed text if `text` is empty.
TextScore measure_perplexity(const std::shared_ptr<const llama::Model>& model,
                             std::string_view text, int threads);

}  // namespace jikji::engine
