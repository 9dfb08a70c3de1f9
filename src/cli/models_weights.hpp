#pragma once
// What jikji models says about the form of a model's weights that is fastest here.
#include <boost/json.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/command_models.hpp"
#include "models/weights_cache.hpp"

namespace jikji::cli {

/// Nothing if it was never measured on this machine.
std::optional<models::WeightsChoice> weights_choice(const ModelsOptions& options,
                                                    const std::filesystem::path& file);
boost::json::object weights_as_json(const models::WeightsChoice& choice);

/// Lines for people: which form is in use, why, and the figures.
std::string weights_in_words(const ModelsOptions& options, const std::filesystem::path& file);

/// Before a model is removed: its copies and what was measured.
void forget_weights(const ModelsOptions& options, const std::filesystem::path& file);

}  // namespace jikji::cli
