#include "app/optimise.hpp"

#include "engine/weights.hpp"

namespace jikji::app {
namespace fs = std::filesystem;

fs::path weights_folder(const fs::path& data) { return data / "cache" / "weights"; }

models::WeightsChoice optimise(const fs::path& file, const fs::path& data, bool everything,
                               std::function<void(std::string_view step)> progress) {
    engine::WeightsOptions options;
    options.everything = everything;
    options.progress = std::move(progress);
    return engine::choose_weights(models::WeightsCache(weights_folder(data)), file, options);
}

TextScore score_text(const fs::path& file, std::string_view text) {
    const engine::TextScore score = engine::score_text(file, text, /*threads=*/0);
    return {score.perplexity, score.tokens};
}

}  // namespace jikji::app
