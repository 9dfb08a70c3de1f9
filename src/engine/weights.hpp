#pragma once
// Chooses the form of a model's weights that decodes fastest on this CPU without predicting worse:
// makes copies in other types, measures them beside the published file, and keeps the best one if
// its perplexity on the fixed text (llama/perplexity.hpp) rises by less than kRiseMost.
// Reasons and figures: docs/decisions/0009.
//
// Threads   blocks its caller for seconds, and computes on all cores: a process of its own.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "llama/requantise.hpp"
#include "models/inspect.hpp"
#include "models/weights_cache.hpp"

namespace jikji::engine {

inline constexpr double kRiseMost = 0.005;  // of the perplexity, as a part of it
inline constexpr double kGainLeast = 1.05;  // of a turn's time; less is within what it wavers

struct WeightsOptions {
    int threads = 0;                           // 0 = physical cores
    std::uint64_t bytes_most = 1'000'000'000;  // larger files are left as they are: minutes
    bool even_if_busy = false;  // believe figures although other programs took the cores
    bool everything = false;    // measure also what cannot win
    /// Told what is being done, about ten times a second while a copy is written.
    std::function<void(std::string_view step)> progress;
};

/// Which copies may decode faster here than a file with these facts; and why not, if none.
struct Candidates {
    std::vector<llama::Layout> layouts;
    std::string reason, reason_korean;
};
Candidates candidates_for(const models::ModelFacts& facts, const WeightsOptions& options);

/// Decides without measuring where candidates_for() leaves nothing to measure; false if it does.
bool choose_without_measuring(const models::WeightsCache& cache,
                              const std::filesystem::path& published,
                              const WeightsOptions& options);

/// Measures, decides, remembers. Copies that were not chosen are gone afterwards. Throws
/// Error(kRejected) for a file that cannot be loaded, Error(kDiskFull), Error(kOverloaded) if
/// there is too little memory for two models or other programs took the cores while it measured;
/// then nothing has changed.
models::WeightsChoice choose_weights(const models::WeightsCache& cache,
                                     const std::filesystem::path& published,
                                     const WeightsOptions& options);

/// How well a model predicts a text, or ours if it is empty (llama/perplexity.hpp).
struct TextScore {
    double perplexity = 0;
    int tokens = 0;  // that were scored
};
TextScore score_text(const std::filesystem::path& file, std::string_view text, int threads);

/// Seconds of a turn that reads 512 tokens and writes 128: what decides. Writing takes most of it.
double turn_seconds(const models::MeasuredLayout& layout);

/// Whether the gate lets a copy pass. Perplexities may be no numbers.
bool good_enough(const models::MeasuredLayout& published, const models::MeasuredLayout& copy);

}  // namespace jikji::engine
