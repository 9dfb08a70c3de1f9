#include "app/weights_keeper.hpp"

#include <fmt/format.h>

#include "app/optimise.hpp"
#include "base/child.hpp"
#include "base/log.hpp"
#include "engine/weights.hpp"

namespace jikji::app {

WeightsKeeper::WeightsKeeper(std::filesystem::path program, std::filesystem::path data,
                             std::filesystem::path models)
    : program_(std::move(program)),
      data_(std::move(data)),
      models_(std::move(models)),
      thread_([this] { run(); }) {}

WeightsKeeper::~WeightsKeeper() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

bool WeightsKeeper::stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
}

void WeightsKeeper::consider(const std::string& name, const std::filesystem::path& file) {
    {
        const std::lock_guard lock(mutex_);
        if (!considered_.insert(name).second) return;
        waiting_.push_back({name, file});
    }
    changed_.notify_all();
}

void WeightsKeeper::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return;
        const Model model = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        try {
            measure(model);
        } catch (const std::exception& cause) {
            log_warn(
                fmt::format("the weights of {} stay as published: {}", model.name, cause.what()));
        }
        lock.lock();
    }
}

void WeightsKeeper::measure(const Model& model) {
    const models::WeightsCache cache(weights_folder(data_));
    if (cache.find(model.file) || engine::choose_without_measuring(cache, model.file, {})) return;
    if (program_.empty()) return;
    log_info(fmt::format("measuring in the background which weights of {} are fastest here",
                         model.name));
    const ChildResult result =
        run_child({program_.string(), "models", "optimise", model.name, "--data", data_.string(),
                   "--models", models_.string(), "--quiet", "--background"},
                  {}, {.time = {}, .memory_bytes = 0}, [this] { return !stopping(); });
    if (stopping()) return;
    const bool done = result.exit_code == 0;
    log_info(
        done ? fmt::format("{} (from the next load on)", result.output)
             : fmt::format("the weights of {} stay as published: {}", model.name, result.errors));
}

}  // namespace jikji::app
