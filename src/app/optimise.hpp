#pragma once
// Work on the weights of one model, for the command line: no server, no lock on the data folder.
// Threads: one at a time; all cores compute for seconds.
#include <filesystem>
#include <functional>
#include <string_view>

#include "models/weights_cache.hpp"

namespace jikji::app {

/// Where the copies of a data folder lie.
std::filesystem::path weights_folder(const std::filesystem::path& data);

/// engine::choose_weights() for that file. `everything`: measure also what cannot win.
models::WeightsChoice optimise(const std::filesystem::path& file, const std::filesystem::path& data,
                               bool everything,
                               std::function<void(std::string_view step)> progress);

struct TextScore {
    double perplexity = 0;
    int tokens = 0;
};
/// engine::score_text(): empty `text` means ours.
TextScore score_text(const std::filesystem::path& file, std::string_view text);

}  // namespace jikji::app
