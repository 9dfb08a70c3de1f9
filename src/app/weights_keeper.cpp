#include "app/weights_keeper.hpp"

#include <fmt/format.h>

#include "app/optimise.hpp"
#include "base/child.hpp"
#include "base/log.hpp"
#include "engine/weights.hpp"

namespace jikji::app {

void WeightsKeeper::consider(const std::string& name, const std::filesystem::path& file) {
    const models::WeightsCache cache(weights_folder(data_));
    if (stopping_ || cache.find(file) || engine::choose_without_measuring(cache, file, {})) return;
    if (program_.empty()) return;
    log_info(fmt::format("measuring in the background which weights of {} are fastest here", name));
    const ChildResult result =
        run_child({program_.string(), "models", "optimise", name, "--data", data_.string(),
                   "--models", models_.string(), "--quiet", "--background"},
                  {}, {.time = {}, .memory_bytes = 0}, [this] { return !stopping_; });
    if (stopping_) return;
    const bool done = result.exit_code == 0;
    log_info(done ? fmt::format("{} (from the next load on)", result.output)
                  : fmt::format("the weights of {} stay as published: {}", name, result.errors));
}

}  // namespace jikji::app
